import { expect, it } from "vitest";
import { columnsOf, differences, smoothed, spelled, valueOf, type Tracked } from "./tracked";

const run = {
  metrics: [{ key: "val/loss", value: 0.5, step: 3, at_ms: 0 }],
  params: [{ key: "lr", value: "0.1" }],
  tags: [{ key: "owner", value: "ada" }, { key: "mlflow.user", value: "ada" }],
} as unknown as Tracked;

it("finds a value by the name that the filter language has for it", () => {
  expect([valueOf(run, "metrics.val/loss"), valueOf(run, "params.lr"), valueOf(run, "tags.none")]).toEqual([0.5, "0.1", null]);
});

it("offers every column but the tags of the system", () => {
  expect(columnsOf([run])).toEqual({ metrics: ["val/loss"], params: ["lr"], tags: ["owner"] });
});

it("puts names into backticks where they need it", () => {
  expect([spelled("metrics", "loss"), spelled("metrics", "val/loss")]).toEqual(["metrics.loss", "metrics.`val/loss`"]);
});

it("smooths without dragging the beginning towards nothing", () => {
  expect(smoothed([4, 4, 4], 0.9)).toEqual([4, 4, 4].map((value) => expect.closeTo(value, 9)));
  expect(smoothed([1, 2], 0)).toEqual([1, 2]);
  expect(smoothed([1, null, 3], 0.5)[1]).toBeNull();
});

it("tells what differs between runs, and what one of them lacks", () => {
  const found = differences([new Map([["lr", "0.1"], ["depth", "3"]]), new Map([["lr", "0.1"]])]);

  expect(found).toEqual([
    { name: "depth", values: ["3", null], differs: true },
    { name: "lr", values: ["0.1", "0.1"], differs: false },
  ]);
});
