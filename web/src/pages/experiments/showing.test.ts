import { expect, it } from "vitest";
import { kindOf, rowsOf } from "./showing";

it("shows what it knows how to show", () => {
  expect(["plots/roc.png", "a.csv", "report.html", "model/MLmodel", "weights.bin"].map(kindOf)).toEqual(["picture", "table", "page", "text", "other"]);
});

it("reads quoted fields with separators, quotes and line breaks in them", () => {
  expect(rowsOf('a,b\r\n"x, ""y""\nz",2\n', ",", 9)).toEqual([["a", "b"], ['x, "y"\nz', "2"]]);
});

it("stops at the rows that are wanted", () => {
  expect(rowsOf("1\n2\n3\n", ",", 2)).toEqual([["1"], ["2"]]);
});
