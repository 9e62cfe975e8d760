import { expect, it } from "vitest";
import { rebalanced } from "./splitting";

it("gives what is left to the other", () => {
  expect(rebalanced({ "1": 1 }, "2", 0.1)).toEqual({ "2": 0.1, "1": 0.9 });
});

it("keeps how the others stand to each other", () => {
  expect(rebalanced({ "1": 0.6, "2": 0.3, "3": 0.1 }, "3", 0.4)).toEqual({ "3": 0.4, "1": 0.4, "2": 0.2 });
});

it("always comes to a whole", () => {
  for (let share = 0; share <= 1; share += 0.01) {
    const sum = Object.values(rebalanced({ "1": 1, "2": 1, "3": 1 }, "1", share)).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 9);
  }
});

it("leaves one alone with everything", () => {
  expect(rebalanced({ "1": 1 }, "1", 0.2)).toEqual({ "1": 1 });
});
