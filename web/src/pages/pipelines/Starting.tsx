/** What starts a pipeline by itself, what its limits let through and what they refused, with the reason. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { moment } from "../../parts/words";
import { limitsOf, sourceOf, whenOf } from "./telling";

type Firing = Schemas["FiringLine"];

const COLUMNS: Column<Firing>[] = [
  { name: "moment", title: "For", value: (one) => one.moment, cell: (one) => moment(one.moment) },
  { name: "state", title: "", value: (one) => one.state, cell: (one) => <Status of={one.state} look={looks(one.state)} /> },
  { name: "source", title: "Because of", value: (one) => sourceOf(one.source), cell: (one) => <Because of={one} /> },
  { name: "run", title: "Run", value: (one) => one.run, cell: (one) => (one.run ? <Link to={`/runs/${one.run}`}>{one.run}</Link> : "") },
  { name: "reason", title: "Why not", value: (one) => one.reason ?? "" },
];

function looks(state: string) {
  return state === "started" ? "good" : state === "refused" ? "waits" : state === "missed" ? "by-hand" : "works";
}

function Because({ of }: { of: Firing }) {
  if (of.caused_by === null) return <span>{sourceOf(of.source)}</span>;
  return (
    <Link to="/activity" search={{ event: of.caused_by } as never}>
      {sourceOf(of.source)}
    </Link>
  );
}

export function Starting({ pipeline }: { pipeline: string }) {
  const found = useVerb("triggers.get", { pipeline, firings: 200 });
  return (
    <Shown of={found}>
      {(sheet) => (
        <div className="stack">
          <Card title="What starts it">
            {sheet.triggers.length === 0 ? (
              <span className="dim">
                Nothing but a hand. Give it a schedule or triggers in its <code>@td.pipeline</code>, and publish it.
              </span>
            ) : (
              <ul className="plain starts">
                {sheet.triggers.map((one) => (
                  <li key={`${one.kind} ${one.when} ${one.about}`} className="row">
                    <Status of={one.is_paused ? "paused" : one.kind} look={one.is_paused ? "waits" : "good"} />
                    <span className="id">{whenOf(one)}</span>
                    {one.next_at && !one.is_paused && (
                      <span className="dim">
                        next <Time at={one.next_at} />
                      </span>
                    )}
                  </li>
                ))}
              </ul>
            )}
            <div style={{ marginTop: 12 }}>
              <Facts
                of={[
                  ["Limits", limitsOf(sheet.limits) || "none"],
                  ["A start now", sheet.refused_now ? `would be refused. ${sheet.refused_now}` : "would be let through"],
                ]}
              />
            </div>
          </Card>
          <Card flush title="Starts and refusals" aside="the newest first">
            {sheet.firings.length === 0 ? (
              <Empty what="Nothing was started yet." />
            ) : (
              <DataTable label="Starts and refusals" rows={sheet.firings} columns={COLUMNS} id={(one) => one.id} height="50vh" />
            )}
          </Card>
        </div>
      )}
    </Shown>
  );
}
