import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { stepsOf } from "./steps";

type Run = Schemas["Run"];
type RunEdge = Schemas["RunEdge"];

function run(id: string, more: Partial<Run> = {}): Run {
  return { id, path: `p/${id}`, kind: "step", status: "done", started_at: "2026-01-01T00:00:00Z", ended_at: "2026-01-01T00:00:02Z", reused_from: null, ...more } as Run;
}

function edge(run: string, direction: "in" | "out", digest: string, producer: string | null, more: Partial<RunEdge> = {}): RunEdge {
  return { run, direction, role: "rows", digest, producer, kind: "frame", size_bytes: 1, meta: {}, text: null, is_gone: false, ...more };
}

it("joins steps by whose result each was given, also where that was known from an earlier run", () => {
  const below = [run("read", { status: "cached", reused_from: "run_old" }), run("fit"), run("best")];
  const steps = stepsOf(below, [
    edge("fit", "in", "d1", "run_old"),
    edge("fit", "out", "d2", "fit"),
    edge("best", "in", "d2", "fit"),
    edge("best", "in", "d9", "run_elsewhere"),
  ]);

  expect(steps.map((step) => [step.id, step.says, step.needs])).toEqual([
    ["read", "known, not run again", []],
    ["fit", "done, 2.0 s", ["read"]],
    ["best", "done, 2.0 s", ["fit"]],
  ]);
});

it("shows the snapshots that came in, each once", () => {
  const snapshot = { kind: "snapshot", meta: { dataset: "vectors", version: 12 } };
  const steps = stepsOf([run("a"), run("b")], [edge("a", "in", "d1", "snap_1", snapshot), edge("b", "in", "d1", "snap_1", snapshot)]);

  expect(steps.map((step) => [step.path, step.look, step.needs])).toEqual([
    ["vectors v12", "data", []],
    ["p/a", "good", ["d1"]],
    ["p/b", "good", ["d1"]],
  ]);
});

it("knows what a step that works was given by its key", () => {
  const below = [run("read"), run("fit", { status: "running", ended_at: null, key_parts: { inputs: { rows: "d1" } } })];

  expect(stepsOf(below, [edge("read", "out", "d1", "read")])[1]!.needs).toEqual(["read"]);
});

it("draws no box for a pipeline inside of the pipeline, only for what it runs", () => {
  expect(stepsOf([run("inner", { kind: "pipeline" }), run("inner/fit")], []).map((step) => step.id)).toEqual(["inner/fit"]);
});
