import { expect, it } from "vitest";
import { rowOf, textOf } from "./trying";

it("turns a form into a row of the model's types", () => {
  const inputs = { a: "FP64", b: "BYTES", c: "BOOL", d: "INT64", e: "FP32" };

  expect(rowOf(inputs, { a: "0.5", b: "7", c: "true", d: "x", e: "" })).toEqual({ a: 0.5, b: "7", c: true, d: "x", e: null });
});

it("shows nothing for null", () => {
  expect(textOf(["a", "b"], { a: null, b: 2 })).toEqual({ a: "", b: "2" });
});
