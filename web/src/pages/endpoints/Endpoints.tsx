/** Endpoints: what is served, by which version, and how sound? */

import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { percent, plural } from "../../parts/words";

type Endpoint = Schemas["Endpoint"];

/** `v5 100%`, or both sides of a split; nothing where it is drained. */
export function shares(endpoint: Endpoint): string {
  return Object.entries(endpoint.route.weights)
    .map(([revision, weight]) => {
      const made = endpoint.revisions.find((one) => String(one.number) === revision);
      return `${made ? `${made.model} v${made.model_version}` : `revision ${revision}`} ${percent(weight, 0)}`;
    })
    .join(", ");
}

export function Endpoints() {
  const navigate = useNavigate();
  const found = useVerb("endpoints.list", null);
  const alerts = useVerb("alerts.list", { state: "unresolved", limit: 200 }).data;
  const columns = useMemo<Column<Endpoint>[]>(
    () => [
      { name: "name", title: "Name", value: (one) => one.name, cell: (one) => <Link to={`/endpoints/${one.name}`}>{one.name}</Link> },
      {
        name: "state",
        title: "State",
        value: (one) => (one.route.is_drained ? "drained" : "serves"),
        cell: (one) => <Status of={one.route.is_drained ? "drained" : "serves"} look={one.route.is_drained ? "by-hand" : "good"} />,
      },
      { name: "traffic", title: "Traffic", value: (one) => shares(one) },
      {
        name: "shadows",
        title: "Shadows",
        value: (one) => Object.keys(one.route.shadows).length,
        cell: (one) => (Object.keys(one.route.shadows).length ? plural(Object.keys(one.route.shadows).length, "shadow") : ""),
      },
      {
        name: "alerts",
        title: "Alerts",
        value: (one) => alerts?.filter((alert) => alert.endpoint === one.name).length,
        cell: (one) => {
          const open = alerts?.filter((alert) => alert.endpoint === one.name).length ?? 0;
          return open ? <Link to={`/monitoring?endpoint=${one.name}`} className="status bad">{plural(open, "alert")}</Link> : "";
        },
      },
      { name: "changed", title: "Changed", value: (one) => one.route.recorded_at, cell: (one) => <Time at={one.route.recorded_at} /> },
      { name: "by", title: "By", value: (one) => one.route.actor },
    ],
    [alerts],
  );
  return (
    <Page name="Endpoints" title="Endpoints" about="What answers requests, and which version says what share of the answers." twin={path("endpoints.list")}>
      <Card flush>
        <Shown of={found}>
          {(endpoints) =>
            endpoints.length === 0 ? (
              <Empty what="Nothing is deployed.">
                <code>treadle endpoints deploy NAME --model MODEL</code>
              </Empty>
            ) : (
              <DataTable label="Endpoints" rows={endpoints} columns={columns} id={(one) => one.name} onOpen={(one) => void navigate({ to: `/endpoints/${one.name}` })} />
            )
          }
        </Shown>
      </Card>
    </Page>
  );
}
