import { expect, it } from "vitest";
import { findingsOf, intervalOf } from "./intervals";

it("finds the difference with its bounds where a release keeps them", () => {
  const body = { figures: { difference: 0.0139, difference_lower: 0.0104, difference_upper: 0.0173 } };

  expect(intervalOf(body)).toEqual({ name: "Difference", value: 0.0139, lower: 0.0104, upper: 0.0173 });
});

it("draws no interval from half of one", () => {
  expect(intervalOf({ figures: { difference: 0.1, difference_lower: null } })).toBeNull();
  expect(intervalOf({})).toBeNull();
});

it("lists gates, and nothing that is none", () => {
  const gate = { name: "rows", wanted: "at least 2,000", found: "12,902", passed: true };

  expect(findingsOf({ findings: [gate, {}] })).toEqual([gate]);
  expect(findingsOf({ findings: "x" })).toEqual([]);
});
