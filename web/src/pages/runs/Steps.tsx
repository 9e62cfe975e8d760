/** The steps of a run, as a graph and on its time; the chosen one beside them. */

import { Suspense, lazy, useMemo } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Status } from "../../parts/Small";
import { nameOf } from "../../parts/grouping";
import { Loading } from "../../parts/State";
import { StepSheet } from "./StepSheet";
import { Timeline } from "./Timeline";
import { STATUSES } from "./running";
import { stepsOf } from "./steps";
import { useNow } from "./now";

const StepGraph = lazy(() => import("../../parts/StepGraph"));

interface StepsProps {
  run: Schemas["Run"];
  below: readonly Schemas["Run"][];
  selected: string | undefined;
  onSelect: (step: string | undefined) => void;
}

export function Steps({ run, below, selected, onSelect }: StepsProps) {
  const found = useVerb("runs.edges", { run: run.id });
  const now = useNow(run.status === "running");
  const edges = useMemo(() => found.data ?? [], [found.data]);
  const steps = useMemo(() => stepsOf(below, edges, now), [below, edges, now]);
  const names = useMemo(() => new Map(below.map((one) => [one.id, nameOf(one.path)])), [below]);
  const chosen = below.find((one) => one.id === selected);
  const parts = (
    <div className="stack">
      {steps.length > 1 && found.data && (
        <Card flush title="Who was given whose result" aside={<Counts below={below} />}>
          <Suspense fallback={<Loading />}>
            <StepGraph
              steps={steps}
              label={`The steps of ${run.name} and what each was given`}
              height={Math.min(440, 160 + steps.length * 16)}
              selected={selected}
              onPick={(step) => below.some((one) => one.id === step) && onSelect(step === selected ? undefined : step)}
            />
          </Suspense>
        </Card>
      )}
      <Timeline root={run} below={below} now={now} selected={selected} onSelect={onSelect} />
    </div>
  );
  if (!chosen) return parts;
  return (
    <div className="grid two steps">
      {parts}
      <StepSheet step={chosen} edges={edges} names={names} now={now} onClose={() => onSelect(undefined)} />
    </div>
  );
}

function Counts({ below }: { below: readonly Schemas["Run"][] }) {
  const counts = new Map<Schemas["Run"]["status"], number>();
  for (const run of below) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  return (
    <span className="row">
      {[...counts].map(([status, count]) => (
        <Status key={status} of={status} look={STATUSES[status]}>
          {count} {status === "cached" ? "known" : status}
        </Status>
      ))}
    </span>
  );
}
