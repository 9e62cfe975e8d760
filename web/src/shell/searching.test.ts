import { expect, it } from "vitest";
import { read, written } from "./searching";

it("keeps figures as the text that they were", () => {
  expect(read("?before=1&after=03")).toEqual({ before: "1", after: "03" });
});

it("reads what it has written", () => {
  const search = { kinds: ["alert.opened", "run.failed"], explain: true, text: "a b&c=[d", sql: "select '[' from t" };

  expect(read(written(search))).toEqual(search);
});

it("leaves out what is not there", () => {
  expect(written({ a: undefined, b: null })).toBe("");
});

it("takes what is no list as text", () => {
  expect(read("?x=[broken")).toEqual({ x: "[broken" });
});
