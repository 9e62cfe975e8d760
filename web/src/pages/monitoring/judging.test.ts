import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { columnsText, leading } from "./judging";

type Window = Schemas["MonitorWindow"];

const window = (starts_at: string, model_version: string, rows: number) => ({ starts_at, model_version, rows }) as Window;

it("shows each week once, by the version that answered most of it", () => {
  const found = leading([window("2013-05-06", "1", 900), window("2013-04-29", "1", 500), window("2013-05-06", "2", 100)]);

  expect(found.map((one) => [one.starts_at, one.model_version])).toEqual([
    ["2013-04-29", "1"],
    ["2013-05-06", "1"],
  ]);
});

it("names the first columns of an alert, and how many more there are", () => {
  const symptoms = ["a", "b", "c", "d", "e"].map((column) => ({ column }));

  expect(columnsText({ symptoms } as Schemas["Alert"])).toBe("a, b, c and 2 more");
});
