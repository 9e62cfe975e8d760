import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { percent } from "../../parts/words";
import { columnsText, interval, leading, ofKind } from "./judging";

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

it("keeps the alerts of one kind, or all", () => {
  const alerts = [{ kind: "drift" }, { kind: "performance" }] as Schemas["Alert"][];

  expect(ofKind(alerts, "performance")).toEqual([{ kind: "performance" }]);
  expect(ofKind(alerts, undefined)).toHaveLength(2);
});

it("says a figure with its interval, where it has one", () => {
  expect(interval(0.25, [0.2, 0.3], percent)).toBe("25.0% (20.0% to 30.0%)");
  expect(interval(0.25, null)).toBe("0.25");
  expect(interval(null, null)).toBe("–");
});
