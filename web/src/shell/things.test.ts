import { expect, it } from "vitest";
import { addressOf } from "./things";

it("finds the page of a subject", () => {
  expect(addressOf("dataset/flights")).toBe("/datasets/flights");
  expect(addressOf("endpoint/late-arrival")).toBe("/endpoints/late-arrival");
});

it("finds the page of an id by what it begins with", () => {
  expect(addressOf("run_01m8rq6ka7f54agv8ez7mjkd1n")).toBe("/runs/run_01m8rq6ka7f54agv8ez7mjkd1n");
});

it("goes nowhere for what has no page", () => {
  expect([addressOf("user/ada"), addressOf("late"), addressOf("run_1"), addressOf("dataset/")]).toEqual([null, null, null, null]);
});
