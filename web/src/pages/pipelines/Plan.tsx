/** What a run would do now, and why: as a graph, and step by step in words. */

import { Button, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Card } from "../../parts/Page";
import { Status } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { Field } from "./RunIt";
import { stepsOf } from "../runs/steps";
import { VERDICTS, graphOf, summary, usePlan, withRest } from "./planning";
import { textOf, valuesOf } from "./telling";

type Parameter = Schemas["Parameter"];

const StepGraph = lazy(() => import("../../parts/StepGraph"));

interface PlanProps {
  pipeline: string;
  /** What `td.now()` would say; the present without it. */
  now: string | null;
  given: Record<string, unknown>;
  onGive: (given: Record<string, unknown>, now: string) => void;
  since: string;
  /** The newest run that is over: where the plan ends, its steps tell what came then. */
  last: string | undefined;
  selected: string | undefined;
  onSelect: (path: string) => void;
}

export function Plan({ pipeline, now, given, onGive, since, last, selected, onSelect }: PlanProps) {
  const may = useMay()("code.run");
  const found = usePlan({ pipeline, now, parameters: given }, since, may);
  const ends = found.data?.ends_at !== null && found.data !== undefined && found.data.steps.length > 0;
  const before = useVerb("runs.get", { run: last ?? "" }, { fixed: true, enabled: ends && last !== undefined });
  const edges = useVerb("runs.edges", { run: last ?? "" }, { fixed: true, enabled: ends && last !== undefined });
  const steps = useMemo(
    () => withRest(graphOf(found.data?.steps ?? []), ends ? stepsOf(before.data?.below ?? [], edges.data ?? []) : []),
    [found.data, ends, before.data, edges.data],
  );
  if (!may) {
    return (
      <Empty what="A plan imports the published code.">
        It takes the permission code.run. From a checkout: <code>treadle plan pipeline.py</code>
      </Empty>
    );
  }
  return (
    <Shown of={found} rows={8}>
      {(plan) => (
        <div className="stack">
          <With parameters={plan.parameters} given={given} now={now ?? ""} onGive={onGive} />
          <Card
            flush
            title="What would run now"
            aside={
              <span className="row">
                {found.isFetching ? "being planned" : summary(plan.steps)}
                <Button size="compact-xs" variant="default" loading={found.isFetching} onClick={() => void found.refetch()}>
                  Plan again
                </Button>
              </span>
            }
          >
            {plan.steps.length === 0 ? (
              <Empty what={plan.ends_at ? `There is no plan: ${plan.ends_at}.` : "The body calls no step."} />
            ) : (
              <Suspense fallback={<Loading />}>
                <StepGraph steps={steps} label={`The steps of ${pipeline} and what each is given`} height={300} selected={selected} onPick={onSelect} />
              </Suspense>
            )}
          </Card>
          <Card flush title="Step by step">
            <div className="table" style={{ maxHeight: "60vh" }} tabIndex={0} role="region" aria-label="Steps and why they would run">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Would</th>
                    <th scope="col">Step</th>
                    <th scope="col">Why</th>
                  </tr>
                </thead>
                <tbody>
                  {plan.steps.map((step) => (
                    <tr key={step.path} aria-selected={step.path === selected}>
                      <td>
                        <Status of={step.verdict} look={looked(step.verdict)}>
                          {VERDICTS[step.verdict].says}
                        </Status>
                      </td>
                      <td className="id">{step.path.split("/").slice(1).join("/") || step.path}</td>
                      <td style={{ whiteSpace: "normal", maxWidth: "none" }}>
                        {step.why.join("; ")}
                        {step.reused_from && (
                          <span>
                            The same code over the same inputs has run: <Link to={`/runs/${step.reused_from}`}>its result</Link> would be taken.
                          </span>
                        )}
                      </td>
                    </tr>
                  ))}
                  {plan.ends_at && (
                    <tr>
                      <td className="dim">…</td>
                      <td colSpan={2} style={{ whiteSpace: "normal" }} className="dim">
                        {plan.ends_at}
                      </td>
                    </tr>
                  )}
                </tbody>
              </table>
            </div>
          </Card>
        </div>
      )}
    </Shown>
  );
}

/** The parameters that the plan is made for. */
function With({ parameters, given, now, onGive }: { parameters: readonly Parameter[]; given: Record<string, unknown>; now: string; onGive: PlanProps["onGive"] }) {
  const [texts, write] = useState<Record<string, string>>({});
  const [moment, choose] = useState(now);
  const shown = { ...Object.fromEntries(parameters.map((one) => [one.name, textOf(one, given)])), ...texts };
  return (
    <Card title="Of a run with">
      <form
        className="with"
        onSubmit={(event) => {
          event.preventDefault();
          onGive(valuesOf(parameters, shown), moment.trim());
        }}
      >
        {parameters.map((one) => (
          <Field key={one.name} of={one} text={shown[one.name] ?? ""} onWrite={(text) => write({ ...texts, [one.name]: text })} />
        ))}
        <TextInput
          label="As of"
          description="what td.now() says; the present when empty"
          placeholder="2013-12-30T05:00:00Z"
          value={moment}
          onChange={(event) => choose(event.currentTarget.value)}
        />
        <Button type="submit" variant="default">
          Plan it
        </Button>
      </form>
    </Card>
  );
}

function looked(verdict: keyof typeof VERDICTS) {
  const look = VERDICTS[verdict].look;
  return look === "data" ? "" : look;
}
