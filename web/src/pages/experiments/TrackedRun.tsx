/** One tracked run: its metrics as pictures, what it was given, what it used and made, the files that it left. */

import { Tabs } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, type ReactNode } from "react";
import { path } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Status, Time } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { duration, figure } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Files } from "./Files";
import { STATUS_LOOKS, type Tracked } from "./tracked";
import type { Schemas } from "../../api/client";

const Charts = lazy(() => import("./Charts"));
const Markdown = lazy(() => import("../../parts/Markdown"));

type Pair = Schemas["Pair"];
type Summary = Schemas["MetricSummary"];

const PAIRS: Column<Pair>[] = [
  { name: "key", title: "Name", value: (pair) => pair.key },
  { name: "value", title: "Value", value: (pair) => pair.value, cell: (pair) => <span title={pair.value}>{pair.value}</span> },
];

const METRICS: Column<Summary>[] = [
  { name: "key", title: "Metric", value: (one) => one.key },
  { name: "value", title: "Latest", right: true, value: (one) => one.value, cell: (one) => figure(one.value) },
  { name: "low", title: "Least", right: true, value: (one) => one.low, cell: (one) => figure(one.low) },
  { name: "high", title: "Greatest", right: true, value: (one) => one.high, cell: (one) => figure(one.high) },
  { name: "steps", title: "Steps", right: true, value: (one) => one.last_step, cell: (one) => `${figure(one.first_step)} – ${figure(one.last_step)}` },
];

export function TrackedRun() {
  const experiment = useParam("experiment");
  const id = useParam("run");
  const [address, change] = useAddress<{ tab: string }>();
  const found = useVerb("tracking.get", { run: id }, { everyMs: 5000 });
  return (
    <Page
      name={found.data?.name ?? "Run"}
      title={
        <span className="row">
          {found.data?.name ?? id}
          {found.data && <Status of={found.data.status.toLowerCase()} look={STATUS_LOOKS[found.data.status] ?? ""} />}
        </span>
      }
      crumbs={[
        { to: "/experiments", label: "Experiments" },
        { to: `/experiments/${experiment}`, label: "Runs" },
      ]}
      twin={`${path("tracking.get")}?run=${id}`}
    >
      <Shown of={found} rows={10}>
        {(run) => (
          <Tabs value={address.tab ?? "overview"} onChange={(tab) => change({ tab: tab === "overview" ? undefined : (tab ?? undefined) })} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="overview">Overview</Tabs.Tab>
              <Tabs.Tab value="charts">Charts</Tabs.Tab>
              <Tabs.Tab value="files">Files</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="overview">
              <Overview run={run} />
            </Tabs.Panel>
            <Tabs.Panel value="charts">
              <Suspense fallback={<Loading rows={8} />}>
                <Charts runs={[run]} />
              </Suspense>
            </Tabs.Panel>
            <Tabs.Panel value="files">
              <Files run={run} />
            </Tabs.Panel>
          </Tabs>
        )}
      </Shown>
    </Page>
  );
}

function Overview({ run }: { run: Tracked }) {
  const metrics = useVerb("metrics.list", { run: run.run });
  const tag = (key: string) => run.tags.find((pair) => pair.key === key)?.value;
  const note = tag("mlflow.note.content");
  const parent = tag("mlflow.parentRunId");
  return (
    <div className="stack">
      <div className="grid">
        <Card title="What it is">
          <Facts
            of={[
              ["Started", <Time key="s" at={run.start_ms} />],
              ["Took", duration(run.end_ms && run.start_ms ? (run.end_ms - run.start_ms) / 1000 : null)],
              ["By", run.user_id || tag("mlflow.user")],
              ["From", tag("mlflow.source.name")],
              ["Commit", tag("mlflow.source.git.commit")],
              ["Part of", parent && <Link key="p" to={`/experiments/${run.experiment}/runs/${parent}`}>{parent}</Link>],
              ["Id", <Id key="i" of={run.run} />],
            ]}
          />
        </Card>
        <Card flush title="Metrics">
          <Shown of={metrics}>
            {(found) => (found.length === 0 ? <Empty what="No metric was logged." /> : <DataTable label="Metrics" rows={found} columns={METRICS} id={(one) => one.key} height={320} />)}
          </Shown>
        </Card>
      </div>
      {note && (
        <Card title="Notes">
          <Suspense fallback={<Loading rows={2} />}>
            <Markdown of={note} />
          </Suspense>
        </Card>
      )}
      <div className="grid">
        <Card flush title="Parameters">
          {run.params.length === 0 ? <Empty what="None was logged." /> : <DataTable label="Parameters" rows={run.params} columns={PAIRS} id={(pair) => pair.key} height={360} />}
        </Card>
        <Card flush title="Tags">
          {run.tags.length === 0 ? <Empty what="None was set." /> : <DataTable label="Tags" rows={run.tags} columns={PAIRS} id={(pair) => pair.key} height={360} />}
        </Card>
      </div>
      {(run.datasets.length > 0 || run.models.length > 0) && (
        <Card title="Used and made">
          <Facts
            of={[
              ...run.datasets.map((one): [string, ReactNode] => [`data: ${one.name}`, <Id key={one.digest} of={one.digest} />]),
              ...run.outputs.map((one): [string, ReactNode] => [`model at step ${one.step}`, <Id key={one.model} of={one.model} />]),
            ]}
          />
        </Card>
      )}
    </div>
  );
}
