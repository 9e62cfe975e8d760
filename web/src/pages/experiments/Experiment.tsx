/** One experiment: its runs as a table that scrolls as far as they go, and as charts of those that are chosen. */

import { Button, Checkbox, Menu, MultiSelect, Select, Tabs, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Suspense, lazy, useMemo, useState } from "react";
import { call, path } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Failed, Loading, Shown } from "../../parts/State";
import { duration, figure, plural } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { STATUS_LOOKS, columnsOf, spelled, valueOf, type Tracked } from "./tracked";

const Charts = lazy(() => import("./Charts"));

const AT_ONCE = 200;
const RUNNING_EVERY_MS = 3000;

interface Address extends Record<string, unknown> {
  filter: string;
  columns: string[];
  order: string;
  runs: string[];
  tab: string;
  group: string;
}

const BUILT_IN: Record<string, string> = { name: "run_name", started: "start_time", status: "status", user: "user_id" };

export function Experiment() {
  const number = useParam("experiment");
  const navigate = useNavigate();
  const [address, change] = useAddress<Address>();
  const experiment = useVerb("experiments.get", { experiment: number });
  const asked = { experiments: [number], filter: address.filter ?? "", order_by: address.order ? [address.order] : [] };
  const found = useInfiniteQuery({
    queryKey: ["searches.runs", asked, "pages"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => call("searches.runs", { ...asked, token: pageParam, limit: AT_ONCE, with_total: pageParam === null }, signal),
    getNextPageParam: (last) => last.next,
    refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some((run) => run.status === "RUNNING")) ? RUNNING_EVERY_MS : false),
  });
  const runs = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  const total = found.data?.pages[0]?.total ?? runs.length;
  const chosen = useMemo(() => address.runs ?? [], [address.runs]);
  return (
    <Page
      name={experiment.data?.name ?? "Experiment"}
      title={experiment.data?.name ?? `Experiment ${number}`}
      crumbs={[{ to: "/experiments", label: "Experiments" }]}
      twin={path("searches.runs")}
      actions={
        <Button variant="default" disabled={chosen.length < 2} onClick={() => void navigate({ to: "/compare", search: { runs: chosen } as never })}>
          Compare {chosen.length || ""}
        </Button>
      }
    >
      <Filter key={address.filter} value={address.filter ?? ""} onChange={(filter) => change({ filter: filter || undefined }, true)} error={found.error} runs={runs} />
      <Tabs value={address.tab ?? "table"} onChange={(tab) => change({ tab: tab === "table" ? undefined : (tab ?? undefined) })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="table">Runs</Tabs.Tab>
          <Tabs.Tab value="charts">Charts</Tabs.Tab>
          <Tabs.Tab value="groups">Groups</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="table">
          {found.isError && runs.length === 0 ? null : (
            <Shown of={found}>
              {() => (
                <RunTable
                  experiment={number}
                  runs={runs}
                  total={total}
                  onEnd={() => found.hasNextPage && !found.isFetchingNextPage && void found.fetchNextPage()}
                />
              )}
            </Shown>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="charts">
          <Suspense fallback={<Loading rows={8} />}>
            <Charts runs={chosen.length ? runs.filter((run) => chosen.includes(run.run)) : runs.slice(0, 50)} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="groups">
          <Groups experiment={number} filter={asked.filter} runs={runs} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

interface FilterProps {
  value: string;
  onChange: (filter: string) => void;
  error: Error | null;
  runs: Tracked[];
}

function Filter({ value, onChange, error, runs }: FilterProps) {
  const [text, write] = useState(value);
  const known = useMemo(() => columnsOf(runs.slice(0, 200)), [runs]);
  const words = [...known.metrics.map((key) => spelled("metrics", key)), ...known.params.map((key) => spelled("params", key)), ...known.tags.map((key) => spelled("tags", key))];
  return (
    <div className="stack tight">
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          onChange(text.trim());
        }}
      >
        <TextInput
          aria-label="Filter"
          data-search
          placeholder="metrics.loss < 0.3 and params.model = 'forest'"
          value={text}
          onChange={(event) => write(event.currentTarget.value)}
          style={{ flex: "1 1 320px", maxWidth: 640 }}
          styles={{ input: { fontFamily: "var(--mono)" } }}
          error={error ? true : undefined}
        />
        <Menu position="bottom-start">
          <Menu.Target>
            <Button variant="default">Names</Button>
          </Menu.Target>
          <Menu.Dropdown style={{ maxHeight: 320, overflow: "auto" }}>
            {words.map((word) => (
              <Menu.Item key={word} onClick={() => write(`${text}${text && !text.endsWith(" ") ? " " : ""}${word} `)}>
                {word}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
        <Button type="submit" variant="default">
          Filter
        </Button>
      </form>
      {error && <Failed error={error} />}
    </div>
  );
}

interface RunTableProps {
  experiment: string;
  runs: Tracked[];
  total: number;
  onEnd: () => void;
}

const FIRST_COLUMNS = 6;

function RunTable({ experiment, runs, total, onEnd }: RunTableProps) {
  const [address, change] = useAddress<Address>();
  const navigate = useNavigate();
  const known = useMemo(() => columnsOf(runs.slice(0, 400)), [runs]);
  const offered = useMemo(
    () => [...known.metrics.map((key) => `metrics.${key}`), ...known.params.map((key) => `params.${key}`), ...known.tags.map((key) => `tags.${key}`)],
    [known],
  );
  const shown = address.columns ?? offered.slice(0, FIRST_COLUMNS);
  const chosen = useMemo(() => address.runs ?? [], [address.runs]);
  const order = /^(\S+)( DESC| ASC)?$/.exec(address.order ?? "");
  const columns = useMemo<Column<Tracked>[]>(
    () => [
      {
        name: "chosen",
        title: "",
        value: () => null,
        cell: (run) => (
          <Checkbox
            size="xs"
            checked={chosen.includes(run.run)}
            aria-label={`Choose ${run.name}`}
            onChange={(event) => {
              const next = event.currentTarget.checked ? [...chosen, run.run] : chosen.filter((id) => id !== run.run);
              change({ runs: next.length ? next : undefined });
            }}
          />
        ),
      },
      { name: "name", title: "Run", value: (run) => run.name, cell: (run) => <Link to={`/experiments/${experiment}/runs/${run.run}`}>{run.name}</Link> },
      { name: "status", title: "", value: (run) => run.status, cell: (run) => <Status of={run.status.toLowerCase()} look={STATUS_LOOKS[run.status] ?? ""} /> },
      { name: "started", title: "Started", value: (run) => run.start_ms, cell: (run) => <Time at={run.start_ms} /> },
      {
        name: "took",
        title: "Took",
        right: true,
        value: (run) => (run.end_ms && run.start_ms ? run.end_ms - run.start_ms : null),
        cell: (run) => duration(run.end_ms && run.start_ms ? (run.end_ms - run.start_ms) / 1000 : null),
      },
      ...shown.map((column): Column<Tracked> => ({
        name: column,
        title: column.slice(column.indexOf(".") + 1),
        right: column.startsWith("metrics."),
        value: (run) => valueOf(run, column),
        cell: (run) => {
          const value = valueOf(run, column);
          return typeof value === "number" ? figure(value) : (value ?? "");
        },
      })),
    ],
    [change, chosen, experiment, shown],
  );
  return (
    <div className="stack">
      <div className="row">
        <span className="dim">{plural(total, "run")}</span>
        <MultiSelect
          aria-label="Columns"
          placeholder="Columns"
          data={offered}
          value={shown}
          onChange={(next) => change({ columns: next })}
          searchable
          hidePickedOptions
          maw={640}
          style={{ flex: "1 1 260px" }}
        />
      </div>
      <Card flush>
        {runs.length === 0 ? (
          <Empty what="No run fits." />
        ) : (
          <DataTable
            label="Runs of the experiment"
            rows={runs}
            columns={columns}
            id={(run) => run.run}
            onOpen={(run) => void navigate({ to: `/experiments/${experiment}/runs/${run.run}` })}
            selected={(run) => chosen.includes(run.run)}
            sorting={order ? { by: columnOf(order[1]!), descending: order[2] === " DESC" } : null}
            onSort={(sorting) => change({ order: sorting ? `${orderOf(sorting.by)} ${sorting.descending ? "DESC" : "ASC"}` : undefined })}
            onEnd={onEnd}
          />
        )}
      </Card>
    </div>
  );
}

function orderOf(column: string): string {
  const dot = column.indexOf(".");
  return dot > 0 ? spelled(column.slice(0, dot), column.slice(dot + 1)) : (BUILT_IN[column] ?? "start_time");
}

function columnOf(order: string): string {
  return Object.entries(BUILT_IN).find(([, name]) => name === order)?.[0] ?? order.replaceAll("`", "");
}

function Groups({ experiment, filter, runs }: { experiment: string; filter: string; runs: Tracked[] }) {
  const [address, change] = useAddress<Address>();
  const known = useMemo(() => columnsOf(runs.slice(0, 400)), [runs]);
  const offered = [...known.params.map((key) => `params.${key}`), ...known.tags.map((key) => `tags.${key}`), "status", "user_id"];
  const by = address.group ?? offered[0] ?? "status";
  const found = useVerb("searches.count", { experiments: [experiment], filter, by: by.includes(".") ? spelled(by.slice(0, by.indexOf(".")), by.slice(by.indexOf(".") + 1)) : by });
  return (
    <Card title="Runs by" aside={<Select aria-label="Group by" data={offered} value={by} onChange={(value) => change({ group: value ?? undefined })} allowDeselect={false} />}>
      <Shown of={found}>
        {({ facets, total }) => (
          <ol className="plain stack tight">
            {facets.map((facet) => (
              <li key={String(facet.value)} className="row" style={{ flexWrap: "nowrap" }}>
                <span style={{ flex: "0 0 180px" }} className="id">
                  {facet.value ?? "none"}
                </span>
                <span style={{ flex: 1 }}>
                  <i style={{ display: "block", height: 12, borderRadius: 3, background: "var(--series-1)", width: `${(facet.count / Math.max(1, total)) * 100}%` }} />
                </span>
                <span>{figure(facet.count)}</span>
                {facet.value !== null && (
                  <Button variant="subtle" onClick={() => change({ filter: `${filter ? `(${filter}) AND ` : ""}${by} = '${facet.value!.replaceAll("'", "''")}'`, tab: undefined }, true)}>
                    Only these
                  </Button>
                )}
              </li>
            ))}
          </ol>
        )}
      </Shown>
    </Card>
  );
}
