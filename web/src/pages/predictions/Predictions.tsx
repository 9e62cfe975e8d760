/** Predictions that landed: found by endpoint, by what they are about, or by day. */

import { Select, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { call, path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Failed, Shown } from "../../parts/State";
import { figure, moment } from "../../parts/words";
import { useAddress } from "../../shell/address";

type Line = Schemas["PredictionLine"];

const AT_ONCE = 100;

const COLUMNS: Column<Line>[] = [
  { name: "recorded", title: "When", value: (one) => one.recorded_at, cell: (one) => <Time at={one.recorded_at} /> },
  { name: "prediction", title: "Prediction", value: (one) => one.prediction_id, cell: (one) => <Link className="id" to={`/predictions/${one.prediction_id}`}>{one.prediction_id}</Link> },
  { name: "endpoint", title: "Endpoint", value: (one) => one.endpoint },
  { name: "entity", title: "Of", value: (one) => one.entity },
  { name: "for", title: "For", value: (one) => one.event_at, cell: (one) => moment(one.event_at) },
  { name: "output", title: "Said", right: true, value: (one) => one.output, cell: (one) => figure(one.output) },
  { name: "version", title: "Version", value: (one) => one.model_version, cell: (one) => `v${one.model_version}` },
];

export function Predictions() {
  const [address, change] = useAddress<{ endpoint: string; entity: string }>();
  const navigate = useNavigate();
  const endpoints = useVerb("endpoints.list", null).data ?? [];
  const asked = { endpoint: address.endpoint ?? null, entity: address.entity ?? null };
  const found = useInfiniteQuery({
    queryKey: ["predictions.list", asked, "pages"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => call("predictions.list", { ...asked, after: pageParam, limit: AT_ONCE }, signal),
    getNextPageParam: (last) => last.next,
  });
  const lines = useMemo(() => found.data?.pages.flatMap((page) => page.items) ?? [], [found.data]);
  return (
    <Page name="Predictions" title="Predictions" about="What was answered, each with the model that answered and all that it was made from." crumbs={[{ to: "/endpoints", label: "Endpoints" }]} twin={path("predictions.list")}>
      <div className="row">
        <Select placeholder="Every endpoint" aria-label="Endpoint" data={endpoints.map((one) => one.name)} value={address.endpoint ?? null} onChange={(value) => change({ endpoint: value ?? undefined })} clearable w={200} />
        <TextInput
          placeholder="Whom or what it is about"
          aria-label="Entity"
          data-search
          defaultValue={address.entity ?? ""}
          onKeyDown={(event) => event.key === "Enter" && change({ entity: event.currentTarget.value || undefined })}
          onBlur={(event) => change({ entity: event.currentTarget.value || undefined })}
          w={260}
        />
      </div>
      <Card flush>
        {found.isError ? (
          <Failed error={found.error} again={() => void found.refetch()} />
        ) : found.data && lines.length === 0 ? (
          <Empty what="No prediction like that has landed.">They land within a second while treadle up works.</Empty>
        ) : (
          <Shown of={found}>
            {() => (
              <DataTable
                label="Predictions"
                rows={lines}
                columns={COLUMNS}
                id={(one) => one.prediction_id}
                onOpen={(one) => void navigate({ to: `/predictions/${one.prediction_id}` })}
                onEnd={() => found.hasNextPage && !found.isFetchingNextPage && void found.fetchNextPage()}
              />
            )}
          </Shown>
        )}
      </Card>
    </Page>
  );
}
