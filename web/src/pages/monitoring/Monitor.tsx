/** One monitor: drift and performance window by window; a chosen window with its columns and both distributions. */

import { Tabs } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Status } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { day, duration, figure, percent, plural } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Distributions } from "./Distributions";
import { Slices } from "./Slices";
import { Value } from "./Value";
import { interval, leading, moved } from "./judging";

const Charts = lazy(() => import("./Charts"));

type Window = Schemas["MonitorWindow"];
type ColumnDrift = Schemas["ColumnDrift"];

const MOST_WINDOWS = 260;

export function Monitor() {
  const name = useParam("monitor");
  const [address, change] = useAddress<{ window: string; column: string; tab: string }>();
  const found = useVerb("monitors.show", { name, windows: MOST_WINDOWS });
  const check = useAct("monitors.check", (judged) => (judged.length ? `${plural(judged.length, "window")} judged.` : "Nothing is due."));
  const windows = useMemo(() => leading(found.data?.windows ?? []), [found.data]);
  const chosen = windows.find((one) => one.starts_at === address.window) ?? windows.at(-1);
  return (
    <Page
      name={name}
      title={name}
      about={found.data && `Windows of ${duration(found.data.monitor.window_s)}; at most ${figure(found.data.monitor.false_alarms_per_year)} false alarms a year.`}
      crumbs={[{ to: "/monitoring", label: "Monitoring" }]}
      twin={`${path("monitors.show")}?name=${encodeURIComponent(name)}`}
      actions={
        <Ask label="Judge now" title="Judge what is due?" permission="monitor.write" onDo={() => check.mutateAsync({ name })}>
          Windows that have ended and were not judged, and those whose truth has come since.
        </Ask>
      }
    >
      <Shown of={found} rows={12}>
        {({ alerts }) =>
          chosen === undefined ? (
            <Card>
              <Empty what="No window has ended yet.">The first is judged when it is over; predictions are logged all the while.</Empty>
            </Card>
          ) : (
            <>
              {alerts.length > 0 && (
                <div className="row">
                  {alerts.map((alert) => (
                    <Link key={alert.id} to={`/alerts/${alert.id}`} className="status bad">
                      {alert.kind}: {alert.symptoms.slice(0, 2).map((one) => one.column).join(", ")}
                    </Link>
                  ))}
                </div>
              )}
              <Suspense fallback={<Loading rows={8} />}>
                <Charts windows={windows} selected={chosen.starts_at} onSelect={(window) => change({ window, column: undefined })} />
              </Suspense>
              <h2 style={{ margin: 0, fontSize: 16 }}>
                The window of {day(chosen.starts_at)} <span className="dim">v{chosen.model_version}, {plural(chosen.rows, "prediction")}</span>
              </h2>
              <Tabs value={address.tab ?? "columns"} onChange={(tab) => change({ tab: tab === "columns" ? undefined : (tab ?? undefined) })} keepMounted={false}>
                <Tabs.List mb="md">
                  <Tabs.Tab value="columns">Columns</Tabs.Tab>
                  <Tabs.Tab value="performance">Performance</Tabs.Tab>
                  <Tabs.Tab value="slices">Slices</Tabs.Tab>
                  <Tabs.Tab value="value">Value</Tabs.Tab>
                </Tabs.List>
                <Tabs.Panel value="columns">
                  <Columns monitor={name} window={chosen} column={address.column} onColumn={(column) => change({ column })} />
                </Tabs.Panel>
                <Tabs.Panel value="performance">
                  <Performance window={chosen} />
                </Tabs.Panel>
                <Tabs.Panel value="slices">
                  <Slices window={chosen} />
                </Tabs.Panel>
                <Tabs.Panel value="value">
                  <Value endpoint={found.data!.monitor.endpoint} />
                </Tabs.Panel>
              </Tabs>
            </>
          )
        }
      </Shown>
    </Page>
  );
}

function Columns(props: { monitor: string; window: Window; column: string | undefined; onColumn: (name: string) => void }) {
  const { monitor, window, column, onColumn } = props;
  const rows = useMemo(() => moved(window), [window]);
  const chosen = column ?? rows[0]?.column;
  const bound = window.drift.threshold;
  const columns = useMemo<Column<ColumnDrift>[]>(
    () => [
      { name: "column", title: "Column", value: (one) => one.column },
      {
        name: "z",
        title: "How far",
        right: true,
        value: (one) => one.z,
        cell: (one) => <Status of={one.z > bound ? "moved" : "as it was"} look={one.z > bound ? "bad" : ""}>{figure(one.z)}</Status>,
      },
      { name: "figure", title: "By", value: (one) => one.figure },
      { name: "shift", title: "Shift", right: true, value: (one) => one.shift, cell: (one) => figure(one.shift) },
      { name: "nulls", title: "Nulls", right: true, value: (one) => one.nulls, cell: (one) => percent(one.nulls) },
      { name: "unseen", title: "Unseen", right: true, value: (one) => one.unseen, cell: (one) => percent(one.unseen) },
      {
        name: "correlation",
        title: "Correlation",
        value: (one) => one.partner,
        cell: (one) => (one.correlation && one.partner ? `${one.partner}: ${figure(one.correlation[0])} → ${figure(one.correlation[1])}` : ""),
      },
    ],
    [bound],
  );
  return (
    <div className="grid">
      <Card flush title="Columns" aside={`bound ${figure(bound)}`}>
        <DataTable label="Columns of the window" rows={rows} columns={columns} id={(one) => one.column} onOpen={(one) => onColumn(one.column)} selected={(one) => one.column === chosen} height={420} />
      </Card>
      {chosen && <Distributions monitor={monitor} window={window} column={chosen} />}
    </div>
  );
}

function Performance({ window }: { window: Window }) {
  const { performance: found, estimate } = window;
  return (
    <div className="grid">
      <Card title="By the truth" aside={`${percent(found.completeness, 0)} of it is known`}>
        <Facts
          of={[
            ["Labelled", `${figure(found.labelled)} of ${figure(found.n)}`],
            ["Error rate", interval(found.error_rate, found.error_rate_interval)],
            ["AUC", found.auc === null ? null : interval(found.auc, found.auc_interval)],
            ["Log loss", found.log_loss === null ? null : interval(found.log_loss, found.log_loss_interval)],
            ["Mean error", found.mean_error === null ? null : interval(found.mean_error, found.mean_error_interval)],
            ["Brier", found.brier === null ? null : figure(found.brier)],
            ["Calibration error", found.calibration_error === null ? null : figure(found.calibration_error)],
            ["Expected over observed", found.expected_over_observed === null ? null : figure(found.expected_over_observed)],
          ]}
        />
      </Card>
      <Card title="As estimated before the truth was known">
        {estimate === null ? (
          <Empty what="Nothing was estimated.">It takes a validation that the scores can be calibrated on.</Empty>
        ) : (
          <Facts
            of={[
              ["Error rate", interval(estimate.error_rate, estimate.error_rate_interval)],
              ["AUC", estimate.auc === null ? null : figure(estimate.auc)],
              ["Log loss", estimate.log_loss === null ? null : figure(estimate.log_loss)],
              ["Brier", estimate.brier === null ? null : figure(estimate.brier)],
              ["Precision", estimate.precision === null ? null : figure(estimate.precision)],
              ["Recall", estimate.recall === null ? null : figure(estimate.recall)],
              ["Mean error", estimate.mean_error === null ? null : interval(estimate.mean_error, estimate.mean_error_interval)],
            ]}
          />
        )}
      </Card>
    </div>
  );
}
