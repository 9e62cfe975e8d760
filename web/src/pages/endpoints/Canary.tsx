/** A canary as it goes: its steps, what each signal says with its bounds, and the way to end it. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { figure, percent } from "../../parts/words";
import "./split.css";

type Signal = Schemas["Signal"];

const LOOKS = { none: "", open: "waits", within: "good", worse: "bad" } as const;

const SIGNALS: Column<Signal>[] = [
  { name: "standing", title: "", value: (one) => one.standing, cell: (one) => <Status of={one.standing} look={LOOKS[one.standing]} /> },
  { name: "name", title: "Signal", value: (one) => one.name },
  { name: "canary", title: "Canary", right: true, value: (one) => one.canary, cell: (one) => figure(one.canary) },
  { name: "baseline", title: "Beside it", right: true, value: (one) => one.baseline, cell: (one) => figure(one.baseline) },
  { name: "difference", title: "Difference", right: true, value: (one) => one.difference, cell: (one) => `${figure(one.difference)} (${figure(one.lower)} to ${figure(one.upper)})` },
  { name: "tolerance", title: "May be", right: true, value: (one) => one.tolerance, cell: (one) => figure(one.tolerance) },
  { name: "calls", title: "Calls", right: true, value: (one) => one.canary_calls, cell: (one) => figure(one.canary_calls) },
];

export function Canary({ endpoint }: { endpoint: string }) {
  const newest = useVerb("canaries.list", null).data?.find((one) => one.endpoint === endpoint);
  if (newest === undefined) return null;
  return <Progress endpoint={endpoint} runs={newest.ended_at === null} />;
}

function Progress({ endpoint, runs }: { endpoint: string; runs: boolean }) {
  const found = useVerb("canaries.get", { endpoint }, { everyMs: runs ? 2000 : false });
  const look = useAct("canaries.look", (canary) => `The canary is ${canary.state}.`);
  const stop = useAct("canaries.stop", () => "The canary is rolled back.");
  return (
    <Shown of={found} rows={3}>
      {({ canary, signals, calls_at_step }) => {
        const steps = canary.policy.steps ?? [];
        return (
          <Card
            title={
              <span className="row">
                Canary of <Link to={`/models/${canary.model}/${canary.model_version}`}>v{canary.model_version}</Link> <Status of={canary.state} />
              </span>
            }
            aside={
              canary.ended_at === null ? (
                <span className="row">
                  <Ask label="Look now" title="Look at the canary now?" permission="endpoint.write" onDo={() => look.mutateAsync({ endpoint })}>
                    It goes a step on, ends, or stays, as its policy says.
                  </Ask>
                  <Ask label="Stop it" title="Roll the canary back?" permission="endpoint.write" danger reason onDo={(reason) => stop.mutateAsync({ endpoint, reason })} />
                </span>
              ) : (
                <Time at={canary.ended_at} />
              )
            }
          >
            <div className="stack">
              <div className="steps" role="img" aria-label={`Step ${canary.step + 1} of ${steps.length}`}>
                {steps.map((share, at) => (
                  <span key={share} className={canary.state === "promoted" || at < canary.step ? "done" : at === canary.step ? "now" : ""} title={percent(share, 0)} />
                ))}
              </div>
              <span className="dim">
                Steps {steps.map((share) => percent(share, 0)).join(", ")}; {figure(calls_at_step)} calls at this one, at least {figure(canary.policy.min_calls)} are
                wanted.
              </span>
              {canary.reason && <span>{canary.reason}</span>}
              <DataTable label="Signals of the canary" rows={signals} columns={SIGNALS} id={(one) => one.name} />
            </div>
          </Card>
        );
      }}
    </Shown>
  );
}
