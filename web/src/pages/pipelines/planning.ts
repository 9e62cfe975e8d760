/** What would run: asked of a process of its own, so it is kept until a run, a publication or a parameter changes it. */

import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { call, type Asked, type Schemas } from "../../api/client";
import type { GraphStep, Look } from "../../parts/grouping";

type Step = Schemas["PlannedStep"];

export const VERDICTS: Record<Step["verdict"], { look: Look; says: string }> = {
  reuse: { look: "good", says: "known" },
  run: { look: "works", says: "would run" },
  depends: { look: "waits", says: "depends" },
  act: { look: "by-hand", says: "act" },
  wait: { look: "waits", says: "waits" },
};

/** since: what changes when the answer may have changed. */
export function usePlan(request: Asked<"pipelines.plan">, since: string, enabled: boolean): UseQueryResult<Schemas["PlanSheet"], Error> {
  return useQuery({
    queryKey: ["pipelines.plan", request, since],
    queryFn: ({ signal }) => call("pipelines.plan", request, signal),
    enabled,
    staleTime: Infinity,
    retry: false,
    refetchOnWindowFocus: false,
    meta: { fixed: true },
    placeholderData: keepPreviousData,
  });
}

export function graphOf(steps: readonly Step[]): GraphStep[] {
  return steps.map((step) => ({
    id: step.path,
    path: step.path,
    look: VERDICTS[step.verdict].look,
    says: VERDICTS[step.verdict].says,
    needs: step.needs,
  }));
}

/** The planned steps, and behind where the plan ends those of an earlier run, which may come. */
export function withRest(planned: readonly GraphStep[], before: readonly GraphStep[]): GraphStep[] {
  const paths = new Map(before.map((step) => [step.id, step.path]));
  const known = new Set(planned.map((step) => step.path));
  const rest = before
    .filter((step) => !known.has(step.path) && step.look !== "data")
    .map((step): GraphStep => ({ id: step.path, path: step.path, look: "", says: "as last time, perhaps", needs: step.needs.map((need) => paths.get(need) ?? need) }));
  return [...planned, ...rest];
}

/** `2 would run, 3 known`, in the order of what costs most. */
export function summary(steps: readonly Step[]): string {
  const order: Step["verdict"][] = ["run", "depends", "wait", "act", "reuse"];
  const words = { run: "would run", depends: "depend on these", wait: "wait", act: "act", reuse: "known" };
  return order
    .map((verdict) => [steps.filter((step) => step.verdict === verdict).length, words[verdict]] as const)
    .filter(([count]) => count > 0)
    .map(([count, says]) => `${count} ${says}`)
    .join(", ");
}
