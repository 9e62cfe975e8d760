/** Runs: what ran, what runs, what failed? */

import { SegmentedControl, Select, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { call, path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Failed, Shown } from "../../parts/State";
import { duration, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { Cause } from "./Cause";
import { STATUSES, joined, secondsOf } from "./running";

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
  const [address, change] = useAddress<{ kind: string; status: Run["status"]; name: string }>();
  const navigate = useNavigate();
  const kind = address.kind ?? "pipeline";
  const asked = { kind: kind === "all" ? null : kind, status: address.status ?? null, name: address.name ?? null };
  const found = useInfiniteQuery({
    queryKey: ["runs.list", asked, "pages"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => call("runs.list", { ...asked, after: pageParam, limit: AT_ONCE }, signal),
    getNextPageParam: (last) => last.next,
    meta: { fixed: true },
  });
  // What is new stands on the first page, and that alone is fetched anew when something happens, not all that was scrolled.
  const newest = useVerb("runs.list", { ...asked, limit: AT_ONCE });
  const runs = useMemo(() => joined(newest.data?.items ?? [], found.data?.pages.flatMap((page) => page.items) ?? []), [newest.data, found.data]);
  const isFiltered = Boolean(address.status ?? address.name);
  const due = useRef<ReturnType<typeof setTimeout>>(undefined);
  function wait(name: string) {
    clearTimeout(due.current);
    due.current = setTimeout(() => change({ name: name.trim() || undefined }), 250);
  }
  return (
    <Page name="Runs" title="Runs" about="Every execution: of pipelines, and of training scripts that log here." twin={path("runs.list")}>
      <div className="row">
        <SegmentedControl
          data={KINDS.map((one) => ({ ...one, value: one.value || "all" }))}
          value={kind}
          onChange={(value) => change({ kind: value === "pipeline" ? undefined : value })}
          aria-label="Kind of run"
        />
        <Select
          placeholder="Any status"
          aria-label="Status"
          data={Object.keys(STATUSES)}
          value={address.status ?? null}
          onChange={(status) => change({ status: (status as Run["status"] | null) ?? undefined })}
          clearable
          w={150}
        />
        <TextInput
          placeholder="Part of the name"
          aria-label="Part of the name"
          data-search
          defaultValue={address.name ?? ""}
          onChange={(event) => wait(event.currentTarget.value)}
          w={220}
        />
        <span className="dim">{found.data ? `${plural(runs.length, "run")}${found.hasNextPage ? " so far" : ""}` : ""}</span>
      </div>
      <Waits />
      <Card flush>
        {found.isError ? (
          <Failed error={found.error} again={() => void found.refetch()} />
        ) : found.data && runs.length === 0 ? (
          <Empty what={isFiltered ? "No run is like that." : "Nothing ran yet."}>
            {isFiltered ? "Take a filter away to see more." : <code>treadle run pipeline.py</code>}
          </Empty>
        ) : (
          <Shown of={found}>
            {() => (
              <DataTable
                label="Runs"
                rows={runs}
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

/** The runs that wait for a person. */
function Waits() {
  const found = useVerb("runs.waiting", null);
  const waits = (found.data ?? []).filter((wait) => wait.kind === "approval");
  if (waits.length === 0) return null;
  return (
    <div className="row">
      <Status of="waiting">{plural(waits.length, "run waits", "runs wait")} for an answer</Status>
      {waits.slice(0, 5).map((wait) => (
        <Link key={wait.id} to={`/runs/${wait.run}`}>
          {wait.subject || wait.run}
        </Link>
      ))}
    </div>
  );
}
