/** Monitoring: what drifts, how good is it, what asks to be looked at? */

import { SegmentedControl } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { day, duration, figure, percent } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { Sparkline } from "./Sparkline";
import { columnsText, leading } from "./judging";

type Alert = Schemas["Alert"];

const STATES = [
  { value: "unresolved", label: "Not over" },
  { value: "resolved", label: "Resolved" },
  { value: "all", label: "All" },
];

const COLUMNS: Column<Alert>[] = [
  { name: "state", title: "", value: (alert) => alert.state, cell: (alert) => <Status of={alert.state} look={alert.state === "open" ? "bad" : alert.state === "acknowledged" ? "waits" : "good"} /> },
  { name: "kind", title: "What", value: (alert) => alert.kind, cell: (alert) => <Link to={`/alerts/${alert.id}`}>{alert.kind}</Link> },
  { name: "columns", title: "Of", value: (alert) => columnsText(alert) },
  { name: "endpoint", title: "Endpoint", value: (alert) => alert.endpoint, cell: (alert) => <Link to={`/endpoints/${alert.endpoint}`}>{alert.endpoint}</Link> },
  { name: "version", title: "Version", value: (alert) => alert.model_version, cell: (alert) => `v${alert.model_version}` },
  { name: "since", title: "Since", value: (alert) => alert.first_window_at, cell: (alert) => day(alert.first_window_at) },
  { name: "peak", title: "Peak of bound", right: true, value: (alert) => alert.peak, cell: (alert) => `${figure(alert.peak)} of ${figure(alert.threshold)}` },
  { name: "opened", title: "Opened", value: (alert) => alert.recorded_at, cell: (alert) => <Time at={alert.recorded_at} /> },
];

export function Monitoring() {
  const [address, change] = useAddress<{ state: string; endpoint: string }>();
  const navigate = useNavigate();
  const state = address.state ?? "unresolved";
  const monitors = useVerb("monitors.list", null);
  const alerts = useVerb("alerts.list", {
    state: state === "all" ? null : (state as "unresolved" | "resolved"),
    endpoint: address.endpoint ?? null,
    limit: 500,
  });
  return (
    <Page name="Monitoring" title="Monitoring" about="Whether what is served still resembles what was learned, how good it turned out to be, and what came of it." twin={path("alerts.list")}>
      <Shown of={monitors}>
        {(found) =>
          found.length === 0 ? (
            <Card>
              <Empty what="Nothing is watched.">A monitor begins by itself five minutes after a version with a reference is deployed.</Empty>
            </Card>
          ) : (
            <div className="grid">
              {found.map((monitor) => (
                <Watched key={monitor.id} monitor={monitor} />
              ))}
            </div>
          )
        }
      </Shown>
      <div className="row">
        <SegmentedControl data={STATES} value={state} onChange={(value) => change({ state: value === "unresolved" ? undefined : value })} aria-label="State of alerts" />
        {address.endpoint && (
          <button type="button" className="status" style={{ border: 0, cursor: "pointer" }} onClick={() => change({ endpoint: undefined })}>
            of {address.endpoint} ×
          </button>
        )}
      </div>
      <Card flush title="Alerts">
        <Shown of={alerts}>
          {(found) =>
            found.length === 0 ? (
              <Empty what={state === "unresolved" ? "No alert is open." : "No alert of this kind."} />
            ) : (
              <DataTable label="Alerts" rows={found} columns={COLUMNS} id={(alert) => alert.id} onOpen={(alert) => void navigate({ to: `/alerts/${alert.id}` })} />
            )
          }
        </Shown>
      </Card>
    </Page>
  );
}

function Watched({ monitor }: { monitor: Schemas["Monitor"] }) {
  const found = useVerb("monitors.show", { name: monitor.name, windows: 60 });
  return (
    <Card title={<Link to={`/monitoring/${monitor.name}`}>{monitor.name}</Link>} aside={`windows of ${duration(monitor.window_s)}`}>
      <Shown of={found} rows={3}>
        {({ windows, alerts }) => {
          const shown = leading(windows);
          const last = shown.at(-1);
          return (
            <div className="stack">
              <Sparkline values={shown.map((one) => one.drift.score)} bounds={shown.map((one) => one.drift.threshold)} label={`Drift score of ${monitor.name} over its windows`} />
              <Facts
                of={[
                  ["State", <Status key="s" of={alerts.length ? `${alerts.length} open` : "quiet"} look={alerts.length ? "bad" : "good"} />],
                  ["Drift", last && `${figure(last.drift.score)} of ${figure(last.drift.threshold)} in the window of ${day(last.starts_at)}`],
                  ["Error rate", last?.performance.error_rate !== null && last !== undefined ? percent(last.performance.error_rate) : null],
                  ["AUC", last?.performance.auc !== null && last !== undefined ? figure(last.performance.auc) : null],
                  ["Truth known", last && percent(last.performance.completeness, 0)],
                ]}
              />
            </div>
          );
        }}
      </Shown>
    </Card>
  );
}
