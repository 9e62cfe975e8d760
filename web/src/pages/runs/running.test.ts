import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { bars, joined, secondsOf } from "./running";

type Run = Schemas["Run"];

function run(path: string, started: string, ended: string | null, status: Run["status"] = "done"): Run {
  const name = path.split("/").at(-1)!;
  return { id: `run_${path}`, path, name, status, kind: "step", actor: "ada", started_at: started, ended_at: ended, recorded_at: started } as Run;
}

const root = run("retrain", "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z");

it("lays steps out on the time of the whole run", () => {
  const [read, fit] = bars(root, [
    run("retrain/fit", "2026-01-01T00:00:05Z", "2026-01-01T00:00:10Z"),
    run("retrain/read", "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"),
  ]);

  expect([read!.run.name, read!.left, read!.width]).toEqual(["read", 0, 0.2]);
  expect([fit!.run.name, fit!.left, fit!.width]).toEqual(["fit", 0.5, 0.5]);
});

it("lets what still runs grow until now", () => {
  const now = Date.parse("2026-01-01T00:00:30Z");

  expect(secondsOf(run("a", "2026-01-01T00:00:00Z", null, "running"), now)).toBe(30);
  expect(secondsOf(run("a", "2026-01-01T00:00:00Z", null, "interrupted"), now)).toBeNull();
});

it("shows the newest runs as they stand now, each once, before those that were loaded", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => run(name, "2026-01-01T00:00:00Z", null, "running"));
  const ended = { ...b!, status: "done" as const };

  expect(joined([c!, ended], [b!, a!]).map((one) => [one.name, one.status])).toEqual([
    ["c", "running"],
    ["b", "done"],
    ["a", "running"],
  ]);
});
