import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { parametersIn, sourceOf, textOf, valuesOf, whenOf } from "./telling";

type Parameter = Schemas["Parameter"];

function parameter(name: string, type: string, more: Partial<Parameter> = {}): Parameter {
  return { name, type, is_required: false, default: null, default_text: "None", choices: [], ...more };
}

it("reads what is no text as JSON, and leaves defaults to the code", () => {
  const parameters = [parameter("n", "int", { default: 3 }), parameter("name", "str"), parameter("rates", "list[float]"), parameter("since", "datetime.date")];

  expect(valuesOf(parameters, { n: "3", name: "7", rates: "[0.1]", since: "2013-04-01" })).toEqual({ name: "7", rates: [0.1], since: "2013-04-01" });
  expect(valuesOf(parameters, { n: "4" })).toEqual({ n: 4 });
});

it("fills a form with what a run was given", () => {
  expect(textOf(parameter("since", "datetime.datetime"), { since: { $datetime: "2013-04-01T00:00:00+00:00" } })).toBe("2013-04-01T00:00:00+00:00");
  expect(textOf(parameter("n", "int", { default: 3 }), {})).toBe("3");
});

it("says what starts a pipeline", () => {
  const line = { pipeline: "p", kind: "schedule", when: "0 3 * * *", about: "UTC", publication: "", counted: null, wanted: null, next_at: null, is_paused: false };

  expect(whenOf(line)).toBe("0 3 * * * (UTC)");
  expect(whenOf({ ...line, kind: "event", when: "dataset.landed", about: "dataset/truth", counted: 20, wanted: 500 })).toBe(
    "dataset.landed of dataset/truth, 20 of 500 counted",
  );
  expect(sourceOf("trigger:retrain:alert.opened:endpoint/shop")).toBe("alert.opened of endpoint/shop");
  expect(sourceOf("schedule:retrain:0 3 * * *:UTC")).toBe("schedule 0 3 * * * (UTC)");
});

it("reads parameters from an address, and none from an address that was mangled", () => {
  expect(parametersIn('{"rows":5}')).toEqual({ rows: 5 });
  expect([parametersIn("{rows"), parametersIn(undefined), parametersIn("[1]"), parametersIn("null")]).toEqual([{}, {}, {}, {}]);
});
