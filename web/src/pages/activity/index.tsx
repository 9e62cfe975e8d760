/** Activity: who did what, when. The whole log of the project, newest first, and the proof that nothing of it was changed. */

import { Button, Drawer, MultiSelect, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { call, path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Json, Time } from "../../parts/Small";
import { Empty, Failed, Shown } from "../../parts/State";
import { moment, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { addressOf } from "../../shell/things";

type Event = Schemas["Event"];

const AT_ONCE = 100;

const COLUMNS: Column<Event>[] = [
  { name: "recorded_at", title: "When", value: (event) => event.recorded_at, cell: (event) => <Time at={event.recorded_at} /> },
  { name: "kind", title: "What", value: (event) => event.kind },
  { name: "subject", title: "About", value: (event) => event.subject, cell: (event) => <Subject of={event.subject} /> },
  { name: "actor", title: "By", value: (event) => event.actor },
  { name: "gist", title: "", value: (event) => gist(event), cell: (event) => <span className="dim">{gist(event)}</span> },
];

export function Activity() {
  const [address, change] = useAddress<{ kinds: string[]; subject: string; event: string }>();
  const kinds = address.kinds ?? [];
  const found = useInfiniteQuery({
    queryKey: ["events.list", { kinds, subject: address.subject ?? null }, "pages"],
    initialPageParam: null as number | null,
    queryFn: ({ pageParam, signal }) =>
      call("events.list", { before: pageParam, limit: AT_ONCE, kinds, subject: address.subject ?? null }, signal),
    getNextPageParam: (last) => (last.length < AT_ONCE ? undefined : (last.at(-1)?.position ?? undefined)),
  });
  const events = useMemo(() => found.data?.pages.flat() ?? [], [found.data]);
  const known = useMemo(() => [...new Set([...events.map((event) => event.kind), ...kinds])].sort(), [events, kinds]);

  return (
    <Page
      name="Activity"
      title="Activity"
      about="Everything that was done in this project, by whom and when: each line is chained to the one before it."
      twin={path("events.list")}
      actions={<Proof />}
    >
      <div className="row">
        <MultiSelect
          placeholder={kinds.length ? "" : "Every kind"}
          aria-label="Kinds of events"
          data={known}
          value={kinds}
          onChange={(chosen) => change({ kinds: chosen.length ? chosen : undefined })}
          searchable
          clearable
          w={320}
        />
        <TextInput
          placeholder="About, such as dataset/flights"
          aria-label="What events are about"
          data-search
          defaultValue={address.subject ?? ""}
          onKeyDown={(event) => event.key === "Enter" && change({ subject: event.currentTarget.value || undefined })}
          onBlur={(event) => change({ subject: event.currentTarget.value || undefined })}
          w={260}
        />
      </div>
      <Card flush>
        {found.isError ? (
          <Failed error={found.error} again={() => void found.refetch()} />
        ) : found.data && events.length === 0 ? (
          <Empty what="Nothing of this kind has happened.">
            <span>{kinds.length || address.subject ? "Take a filter away to see more." : "Run something: treadle run"}</span>
          </Empty>
        ) : (
          <Shown of={found}>
            {() => (
              <DataTable
                label="Events"
                rows={events}
                columns={COLUMNS}
                id={(event) => event.id}
                onOpen={(event) => change({ event: event.id }, true)}
                selected={(event) => event.id === address.event}
                onEnd={() => found.hasNextPage && !found.isFetchingNextPage && void found.fetchNextPage()}
              />
            )}
          </Shown>
        )}
      </Card>
      <Drawer
        opened={address.event !== undefined}
        onClose={() => change({ event: undefined })}
        position="right"
        title="Event"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {address.event && <Sheet id={address.event} />}
      </Drawer>
    </Page>
  );
}

function Sheet({ id }: { id: string }) {
  const found = useVerb("events.get", { event: id }, { fixed: true });
  return (
    <Shown of={found}>
      {(event) => (
        <div className="stack">
          <Facts
            of={[
              ["What", event.kind],
              ["About", <Subject key="s" of={event.subject} />],
              ["By", event.actor],
              ["Recorded", moment(event.recorded_at)],
              ["Happened", event.event_at && moment(event.event_at)],
              ["Position", event.position],
              ["Id", <Id key="i" of={event.id} />],
              ["Hash", event.hash && <Id key="h" of={event.hash} short={20} />],
            ]}
          />
          <Card title="What it says">
            <Json of={event.body} />
          </Card>
        </div>
      )}
    </Shown>
  );
}

/** Walks along the whole chain, on demand: it reads every event. */
function Proof() {
  const may = useMay();
  const [asked, ask] = useState(false);
  const proof = useVerb("audit.verify", null, { enabled: asked });
  if (!may("audit.read")) return null;
  if (!asked) return <Button variant="default" onClick={() => ask(true)}>Verify the log</Button>;
  if (proof.isPending) return <Button variant="default" loading>Verify the log</Button>;
  if (proof.isError) return <Failed error={proof.error} />;
  const found = proof.data;
  return (
    <span className={`status ${found.broken ? "bad" : "good"}`}>
      {found.broken ? `broken at ${found.broken.position}: ${found.broken.problem}` : `${plural(found.count, "event")}, unchanged`}
    </span>
  );
}

export function Subject({ of }: { of: string }) {
  const to = addressOf(of);
  return to ? <Link to={to}>{of}</Link> : <span>{of}</span>;
}

/** The few facts of a body that fit on a line. */
export function gist(event: Event): string {
  return Object.entries(event.body)
    .filter(([, value]) => typeof value === "string" || typeof value === "number")
    .slice(0, 4)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${String(value)}`)
    .join(", ")
    .slice(0, 140);
}
