/** Runs: what ran, what runs, what failed? */

import { SegmentedControl, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { call, path, type Schemas } from "../../api/client";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Failed, Shown } from "../../parts/State";
import { duration } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { Cause } from "./Cause";
import { STATUSES, matches, secondsOf } from "./running";

type Run = Schemas["Run"];

const AT_ONCE = 200;
const KINDS = [
  { value: "pipeline", label: "Pipelines" },
  { value: "tracking", label: "Tracked" },
  { value: "landing", label: "Landings" },
  { value: "", label: "All" },
];

const COLUMNS: Column<Run>[] = [
  { name: "status", title: "", value: (run) => run.status, cell: (run) => <Status of={run.status} look={STATUSES[run.status]} /> },
  { name: "name", title: "Name", value: (run) => run.name, cell: (run) => <Link to={`/runs/${run.id}`}>{run.name}</Link> },
  { name: "kind", title: "Kind", value: (run) => run.kind },
  { name: "started", title: "Started", value: (run) => run.started_at ?? run.recorded_at, cell: (run) => <Time at={run.started_at ?? run.recorded_at} /> },
  { name: "took", title: "Took", right: true, value: (run) => secondsOf(run), cell: (run) => duration(secondsOf(run)) },
  { name: "of", title: "For", value: (run) => run.now_at?.slice(0, 10) ?? "" },
  { name: "by", title: "By", value: (run) => run.caused_by ?? run.actor, cell: (run) => <Cause run={run} /> },
];

export function Runs() {
  const [address, change] = useAddress<{ kind: string; text: string }>();
  const navigate = useNavigate();
  const kind = address.kind ?? "pipeline";
  const found = useInfiniteQuery({
    queryKey: ["runs.list", { kind }, "pages"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => call("runs.list", { kind: kind === "all" ? null : kind, after: pageParam, limit: AT_ONCE }, signal),
    getNextPageParam: (last) => last.next,
  });
  const loaded = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  const shown = useMemo(() => loaded.filter((run) => matches(run, address.text ?? "")), [loaded, address.text]);
  return (
    <Page name="Runs" title="Runs" about="Every execution: of pipelines, and of training scripts that log here." twin={path("runs.list")}>
      <div className="row">
        <SegmentedControl
          data={KINDS.map((one) => ({ ...one, value: one.value || "all" }))}
          value={kind}
          onChange={(value) => change({ kind: value === "pipeline" ? undefined : value })}
          aria-label="Kind of run"
        />
        <TextInput
          placeholder="Name, status, cause"
          aria-label="Filter the runs that are loaded"
          data-search
          value={address.text ?? ""}
          onChange={(event) => change({ text: event.currentTarget.value })}
          w={240}
        />
      </div>
      <Card flush>
        {found.isError ? (
          <Failed error={found.error} again={() => void found.refetch()} />
        ) : found.data && shown.length === 0 ? (
          <Empty what={loaded.length ? "None of the loaded runs is like that." : "Nothing ran yet."}>
            {loaded.length ? "Take the filter away to see all." : <code>treadle run PIPELINE</code>}
          </Empty>
        ) : (
          <Shown of={found}>
            {() => (
              <DataTable
                label="Runs"
                rows={shown}
                columns={COLUMNS}
                id={(run) => run.id}
                onOpen={(run) => void navigate({ to: `/runs/${run.id}` })}
                onEnd={() => found.hasNextPage && !found.isFetchingNextPage && void found.fetchNextPage()}
              />
            )}
          </Shown>
        )}
      </Card>
    </Page>
  );
}
