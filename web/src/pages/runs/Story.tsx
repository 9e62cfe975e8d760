/** Why a run ran, and what came of it. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { moment } from "../../parts/words";
import { addressOf } from "../../shell/things";
import { sourceOf } from "../pipelines/telling";
import { STATUSES } from "./running";

type Run = Schemas["Run"];
type Node = Schemas["Node"];

export function Story({ run, below }: { run: Run; below: readonly Run[] }) {
  const story = useVerb("runs.story", { run: run.id });
  const impact = useVerb("provenance.impact", { id: run.id });
  return (
    <div className="grid">
      <Shown of={story}>
        {({ firings, event, events, caused }) => (
          <>
            <Card title="Why it ran">
              <div className="stack">
                {firings.length === 0 && (
                  <span>
                    {run.caused_by ? <Subject of={run.caused_by} /> : <>{run.actor} ran it{run.host ? ` on ${run.host}` : ""}: from the command line, a script or a notebook.</>}
                  </span>
                )}
                {firings.map((one) => (
                  <Facts
                    key={one.id}
                    of={[
                      ["Because of", sourceOf(one.source)],
                      ["Asked by", one.caused_by === null ? run.actor : null],
                      ["For", moment(one.moment)],
                    ]}
                  />
                ))}
                {event && (
                  <Facts
                    of={[
                      ["Event", <Link key="e" to="/activity" search={{ event: event.id } as never}>{event.kind}</Link>],
                      ["About", <Subject key="s" of={event.subject} />],
                      ["Alert", typeof event.body["alert"] === "string" ? <Subject key="a" of={event.body["alert"]} /> : null],
                      ["Happened", event.event_at ? moment(event.event_at) : moment(event.recorded_at)],
                    ]}
                  />
                )}
              </div>
            </Card>
            <Card title="What it left in the log">
              <ul className="plain stack tight">
                {events.map((one) => (
                  <li key={one.id} className="row">
                    <Link to="/activity" search={{ event: one.id } as never}>
                      {one.kind}
                    </Link>
                    <span className="dim">
                      <Time at={one.recorded_at} /> by {one.actor}
                    </span>
                  </li>
                ))}
              </ul>
            </Card>
            {caused.length > 0 && (
              <Card title="Runs that it started">
                <ul className="plain stack tight">
                  {caused.map((one) => (
                    <li key={one.id} className="row">
                      <Status of={one.status} look={STATUSES[one.status as keyof typeof STATUSES]} />
                      <Link to={`/runs/${one.id}`}>{one.name}</Link>
                      <span className="dim">because of its {one.because}</span>
                    </li>
                  ))}
                </ul>
              </Card>
            )}
          </>
        )}
      </Shown>
      <Card title="What came of it">
        <Shown of={impact}>
          {(tree) => {
            const things = outside(tree, new Set(below.map((one) => one.id)));
            return things.length === 0 ? (
              <span className="dim">Nothing outside of this run rests on it yet.</span>
            ) : (
              <ul className="plain stack tight">
                {things.map((one) => (
                  <li key={one.id} className="row">
                    <span className="dim">{one.kind}</span>
                    {addressOf(one.id) ? <Link to={addressOf(one.id)!}>{one.title}</Link> : <span>{one.title}</span>}
                    <span className="dim">{Object.entries(one.facts).map(([name, value]) => `${name} ${String(value)}`).join(", ")}</span>
                  </li>
                ))}
              </ul>
            );
          }}
        </Shown>
      </Card>
    </div>
  );
}

/** What rests on a run, without its own steps; each once, in the order in which it is come upon. */
function outside(tree: Node, own: ReadonlySet<string>): Node[] {
  const found = new Map<string, Node>();
  const walk = (node: Node) => {
    if (node !== tree && !own.has(node.id) && !found.has(node.id)) found.set(node.id, node);
    for (const child of node.children ?? []) walk(child);
  };
  walk(tree);
  return [...found.values()];
}

function Subject({ of }: { of: string }) {
  const to = addressOf(of);
  return to ? <Link to={to}>{of}</Link> : <span>{of}</span>;
}
