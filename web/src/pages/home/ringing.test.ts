import { expect, it } from "vitest";
import { placesOnRing, sparks } from "./ringing";

it("begins at the top and goes round with the clock", () => {
  const [first, second, third] = placesOnRing(4, 100, 50);

  expect([first!.x, first!.y].map(Math.round)).toEqual([100, 50]);
  expect([second!.x, second!.y].map(Math.round)).toEqual([150, 100]);
  expect([third!.x, third!.y].map(Math.round)).toEqual([100, 150]);
});

it("draws no bar where nothing happened, and a visible one where little did", () => {
  const bars = sparks([0, 1, 10_000]);

  expect(bars.map((bar) => bar.height)).toEqual([1.5, 16]);
});
