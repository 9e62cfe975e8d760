/** One step of a run: how it stands, why it was not run again, what it was given and made, what went wrong. */

import { CloseButton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Facts, Id, Json, Status, Time } from "../../parts/Small";
import { duration, moment } from "../../parts/words";
import { What, aboutOf } from "./Things";
import { Trouble } from "./Trouble";
import { STATUSES, secondsOf } from "./running";

type Run = Schemas["Run"];

interface StepSheetProps {
  step: Run;
  edges: readonly Schemas["RunEdge"][];
  /** By id, what the steps of the run are called. */
  names: ReadonlyMap<string, string>;
  now: number;
  onClose: () => void;
}

export function StepSheet({ step, edges, names, now, onClose }: StepSheetProps) {
  const own = edges.filter((edge) => edge.run === step.id);
  return (
    <Card title={<span style={{ overflowWrap: "anywhere" }}>{step.path}</span>} aside={<CloseButton size="sm" onClick={onClose} aria-label="Close the step" />}>
      <div className="stack">
        <Facts
          of={[
            ["State", <Status key="s" of={step.status} look={STATUSES[step.status]} />],
            ["Started", step.started_at && moment(step.started_at)],
            ["Took", step.status === "cached" ? null : duration(secondsOf(step, now))],
            ["Attempt", step.attempt > 1 ? step.attempt : null],
            ["Code", step.code_digest && <Id key="c" of={step.code_digest} short={22} />],
            ["Key", step.key && <Id key="k" of={step.key} short={22} />],
            ["Seed", step.seed],
          ]}
        />
        {step.reused_from && <Known from={step.reused_from} />}
        {step.error && <Trouble error={step.error} />}
        {own.length > 0 && (
          <Facts
            of={own.map((edge): [string, React.ReactNode] => [
              `${edge.direction === "in" ? "Given" : "Made"} ${edge.role === "result" ? "" : edge.role}`.trim(),
              <span key={edge.role}>
                <What of={edge} inside={names} /> <span className="dim">{aboutOf(edge)}</span>
              </span>,
            ])}
          />
        )}
        {Object.keys(step.params).length > 0 && (
          <details open>
            <summary>Parameters</summary>
            <Json of={step.params} />
          </details>
        )}
        <Link to={`/runs/${step.id}`}>Open it alone</Link>
      </div>
    </Card>
  );
}

/** Why a step was not run: which earlier step made its result, in which run, when. */
function Known({ from }: { from: string }) {
  const found = useVerb("runs.get", { run: from }, { fixed: true });
  const maker = found.data?.run;
  return (
    <p style={{ margin: 0 }}>
      It was not run again: the same code over the same inputs with the same parameters has run before, and gave this result.{" "}
      <Link to={`/runs/${maker?.root ?? from}`} search={(maker ? { step: from } : {}) as never}>
        {maker ? `It is ${maker.path} of the run` : "It is of an earlier run"}
      </Link>
      {maker && (
        <>
          {" "}
          <Time at={maker.started_at ?? maker.recorded_at} />, which took {duration(secondsOf(maker))}
        </>
      )}
      .
    </p>
  );
}
