/** One dataset: what it holds, its snapshots, its contract, how good it was, and what was refused. */

import { Tabs } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy } from "react";
import { path } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { DataTable, type Column } from "../../parts/DataTable";
import { Facts, Id, Time } from "../../parts/Small";
import { Loading, Shown } from "../../parts/State";
import { bytes, day, figure } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import type { Schemas } from "../../api/client";
import { Contract } from "./Contract";
import { Diff } from "./Diff";
import { Incidents } from "./Incidents";
import { Profile } from "./Profile";
import { Quarantine } from "./Quarantine";
import { Query } from "./Query";
import { Snapshots } from "./Snapshots";

const Quality = lazy(() => import("./Quality"));

const TABS = [
  ["overview", "Overview"],
  ["profile", "Profile"],
  ["snapshots", "Snapshots"],
  ["contract", "Contract"],
  ["quality", "Quality"],
  ["quarantine", "Quarantine"],
  ["incidents", "Incidents"],
  ["query", "Query"],
] as const;

export function Dataset() {
  const name = useParam("dataset");
  const [address, change] = useAddress<{ tab: string; at: string; before: string; after: string }>();
  const tab = address.tab ?? "overview";
  return (
    <Page
      name={name}
      title={name}
      crumbs={[{ to: "/datasets", label: "Datasets" }]}
      twin={`${path("datasets.get")}?name=${encodeURIComponent(name)}`}
      actions={<Link to="/lineage" search={{ of: `dataset/${name}`, way: "down" } as never}>What came of it</Link>}
    >
      <Tabs value={tab} onChange={(next) => change({ tab: next === "overview" ? undefined : (next ?? undefined), before: undefined, after: undefined })} keepMounted={false}>
        <Tabs.List mb="md">
          {TABS.map(([value, label]) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview name={name} at={address.at} />
        </Tabs.Panel>
        <Tabs.Panel value="profile">
          <Profile name={name} at={address.at} />
        </Tabs.Panel>
        <Tabs.Panel value="snapshots">
          {address.before ? <Diff name={name} before={address.before} after={address.after ?? null} /> : null}
          <Snapshots name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="contract">
          <Contract name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="quality">
          <Suspense fallback={<Loading rows={8} />}>
            <Quality name={name} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="quarantine">
          <Quarantine name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="incidents">
          <Incidents name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="query">
          <Query name={name} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

type SchemaColumn = Schemas["Column"];

const COLUMNS: Column<SchemaColumn>[] = [
  { name: "name", title: "Column", value: (column) => column.name },
  { name: "type", title: "Type", value: (column) => column.type },
];

function Overview({ name, at }: { name: string; at: string | undefined }) {
  const found = useVerb("datasets.get", { name, at: at ?? null });
  const tags = useVerb("datasets.tags", { name }).data ?? [];
  return (
    <Shown of={found} rows={8}>
      {(snapshot) => (
        <div className="grid">
          <Card title={`Snapshot v${snapshot.version}`}>
            <Facts
              of={[
                ["Landed", <Time key="t" at={snapshot.recorded_at} />],
                ["Rows", figure(snapshot.rows)],
                ["Size", bytes(snapshot.bytes)],
                ["Files", snapshot.files.length],
                ["Of the time", snapshot.event_from_at && `${day(snapshot.event_from_at)} to ${snapshot.event_to_at ? day(snapshot.event_to_at) : ""}`],
                ["Landed by", snapshot.run && <Link key="r" to={`/runs/${snapshot.run}`}>its run</Link>],
                ["Tags", tags.filter((tag) => tag.version === snapshot.version).map((tag) => tag.tag).join(", ")],
                ["Id", <Id key="i" of={snapshot.id} />],
                ["Content", <Id key="c" of={snapshot.content_id} short={28} />],
              ]}
            />
          </Card>
          <Card flush title="Schema" aside={`${snapshot.columns.length} columns`}>
            <DataTable label="Schema" rows={snapshot.columns} columns={COLUMNS} id={(column) => column.name} height={480} />
          </Card>
        </div>
      )}
    </Shown>
  );
}
