/** Monitoring: what drifts, how good is it, what asks to be looked at? */

import { SegmentedControl, Select } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { day, duration, figure, moment, percent } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { Sparkline } from "./Sparkline";
import { columnsText, interval, leading, ofKind } from "./judging";

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
  const [address, change] = useAddress<{ state: string; endpoint: string; kind: string }>();
  const navigate = useNavigate();
  const state = address.state ?? "unresolved";
  const monitors = useVerb("monitors.list", null);
  const alerts = useVerb("alerts.list", {
    state: state === "all" ? null : (state as "unresolved" | "resolved"),
    endpoint: address.endpoint ?? null,
    limit: 500,
  });
  const shown = useMemo(() => ofKind(alerts.data ?? [], address.kind), [alerts.data, address.kind]);
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
        <Select
          placeholder="Every endpoint"
          aria-label="Endpoint"
          data={[...new Set(monitors.data?.map((one) => one.endpoint))]}
          value={address.endpoint ?? null}
          onChange={(value) => change({ endpoint: value ?? undefined })}
          clearable
          w={200}
        />
        <Select placeholder="Drift and performance" aria-label="Kind" data={["drift", "performance"]} value={address.kind ?? null} onChange={(value) => change({ kind: value ?? undefined })} clearable w={200} />
      </div>
      <Silences endpoint={address.endpoint} />
      <Card flush title="Alerts">
        <Shown of={alerts}>
          {() =>
            shown.length === 0 ? (
              <Empty what={state === "unresolved" ? "No alert is open." : "No alert of this kind."} />
            ) : (
              <DataTable label="Alerts" rows={shown} columns={COLUMNS} id={(alert) => alert.id} onOpen={(alert) => void navigate({ to: `/alerts/${alert.id}` })} />
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
                  ["Error rate", last && last.performance.error_rate !== null ? interval(last.performance.error_rate, last.performance.error_rate_interval, percent) : null],
                  ["AUC", last && last.performance.auc !== null ? interval(last.performance.auc, last.performance.auc_interval) : null],
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

/** Messages that are kept back by now, why, and until when. */
function Silences({ endpoint }: { endpoint: string | undefined }) {
  const silences = useVerb("alerts.silences", null).data ?? [];
  const kept = silences.filter((one) => endpoint === undefined || one.endpoint === endpoint);
  if (kept.length === 0) return null;
  return (
    <Card title="Silenced" aside="alerts open all the same; nobody is told">
      <ul className="plain stack">
        {kept.map((one) => (
          <li key={one.id}>
            {one.endpoint}
            {one.column && `, ${one.column}`} until {moment(one.until)}: {one.reason} <span className="dim">by {one.actor}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
