import { expect, it } from "vitest";
import type { GraphStep } from "../../parts/grouping";
import { summary, withRest } from "./planning";

function step(id: string, path: string, needs: string[] = []): GraphStep {
  return { id, path, look: "good", says: "done", needs };
}

it("goes on behind the end of a plan with what came in an earlier run", () => {
  const steps = withRest([step("p/read", "p/read")], [step("run_1", "p/read"), step("run_2", "p/fit", ["run_1"])]);

  expect(steps.map((one) => [one.id, one.look, one.needs])).toEqual([
    ["p/read", "good", []],
    ["p/fit", "", ["p/read"]],
  ]);
});

it("says what costs most first", () => {
  const planned = (verdict: "run" | "reuse" | "act") => ({ path: verdict, verdict, why: [], reused_from: null, key: null, needs: [] });

  expect(summary([planned("reuse"), planned("act"), planned("reuse"), planned("run")])).toBe("1 would run, 1 act, 2 known");
});
