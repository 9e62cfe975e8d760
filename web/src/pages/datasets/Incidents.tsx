/** What is wrong with a dataset, one line a cause; who looks after it, and how it ended. */

import { SegmentedControl } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { useSession } from "../../api/session";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure } from "../../parts/words";
import { useAddress } from "../../shell/address";

type Incident = Schemas["Incident"];

const STATES = [
  { value: "active", label: "Not over" },
  { value: "resolved", label: "Resolved" },
  { value: "recovered", label: "Recovered" },
];

export function Incidents({ name }: { name: string }) {
  const [address, change] = useAddress<{ state: string }>();
  const state = address.state ?? "active";
  const me = useSession().data?.actor ?? "";
  const found = useVerb("incidents.list", { dataset: name, state: state === "active" ? null : state });
  const assign = useAct("incidents.assign", (incident) => `${incident.assignee} looks after it.`);
  const resolve = useAct("incidents.resolve", () => "The incident is over.");
  const mute = useAct("incidents.mute", () => "It goes on counting, and tells nobody.");
  const columns: Column<Incident>[] = [
    { name: "state", title: "", value: (one) => one.state, cell: (one) => <Status of={one.state} look={one.state === "open" ? (one.severity === "error" ? "bad" : "waits") : one.state === "muted" ? "by-hand" : "good"} /> },
    { name: "title", title: "What", value: (one) => one.title, cell: (one) => <span title={one.title}>{one.title}</span> },
    { name: "rows", title: "Rows", right: true, value: (one) => one.rows, cell: (one) => figure(one.rows) },
    { name: "seen", title: "Landings", right: true, value: (one) => one.occurrences },
    { name: "opened", title: "Since", value: (one) => one.opened_at, cell: (one) => <Time at={one.opened_at} /> },
    { name: "assignee", title: "Looked after by", value: (one) => one.assignee },
    {
      name: "acts",
      title: "",
      value: () => null,
      cell: (one) =>
        one.state === "open" || one.state === "muted" ? (
          <span className="row" style={{ flexWrap: "nowrap", gap: 4 }}>
            {one.assignee !== me && (
              <Ask label="Mine" title="Look after this incident?" permission="incident.write" variant="subtle" onDo={() => assign.mutateAsync({ id: one.id, assignee: me })}>
                {one.title}
              </Ask>
            )}
            <Ask label="Mute" title="Tell nobody of it any more?" permission="incident.write" variant="subtle" reason="required" onDo={(note) => mute.mutateAsync({ id: one.id, note })}>
              {one.title}
            </Ask>
            <Ask label="Resolve" title="End this incident?" permission="incident.write" variant="subtle" reason="required" onDo={(note) => resolve.mutateAsync({ id: one.id, note })}>
              {one.title} The same cause opens a new one.
            </Ask>
          </span>
        ) : (
          one.note
        ),
    },
  ];
  return (
    <div className="stack">
      <div className="row">
        <SegmentedControl data={STATES} value={state} onChange={(value) => change({ state: value === "active" ? undefined : value })} aria-label="State of incidents" />
      </div>
      <Card flush>
        <Shown of={found}>
          {(incidents) =>
            incidents.length === 0 ? (
              <Empty what="No incident of this kind." />
            ) : (
              <DataTable label="Incidents" rows={incidents} columns={columns} id={(one) => one.id} />
            )
          }
        </Shown>
      </Card>
    </div>
  );
}
