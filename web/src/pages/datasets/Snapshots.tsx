/** Every snapshot, the newest first; two that are chosen are compared. */

import { Button, Checkbox } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Id, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { bytes, figure, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";

type Snapshot = Schemas["Snapshot"];

export function Snapshots({ name }: { name: string }) {
  const found = useVerb("datasets.history", { name });
  const [, change] = useAddress<{ before: string; after: string; tab: string; at: string }>();
  const [chosen, choose] = useState<number[]>([]);
  const newest = useMemo(() => [...(found.data ?? [])].reverse(), [found.data]);
  const columns = useMemo<Column<Snapshot>[]>(
    () => [
      {
        name: "chosen",
        title: "",
        value: () => null,
        cell: (one) => (
          <Checkbox
            size="xs"
            checked={chosen.includes(one.version)}
            aria-label={`Compare v${one.version}`}
            onChange={(event) => choose(event.currentTarget.checked ? [...chosen, one.version].slice(-2) : chosen.filter((version) => version !== one.version))}
          />
        ),
      },
      { name: "version", title: "Snapshot", value: (one) => one.version, cell: (one) => <Link to={`/datasets/${name}`} search={{ at: String(one.version) } as never}>v{one.version}</Link> },
      { name: "rows", title: "Rows", right: true, value: (one) => one.rows, cell: (one) => figure(one.rows) },
      { name: "size", title: "Size", right: true, value: (one) => one.bytes, cell: (one) => bytes(one.bytes) },
      { name: "landed", title: "Landed", value: (one) => one.recorded_at, cell: (one) => <Time at={one.recorded_at} /> },
      { name: "run", title: "By", value: (one) => one.run, cell: (one) => one.run && <Link to={`/runs/${one.run}`}>its run</Link> },
      { name: "id", title: "Id", value: (one) => one.id, cell: (one) => <Id of={one.id} /> },
    ],
    [chosen, name],
  );
  const [before, after] = [...chosen].sort((a, b) => a - b);
  return (
    <Card
      flush
      title={plural(newest.length, "snapshot")}
      aside={
        <Button variant="default" disabled={chosen.length !== 2} onClick={() => change({ before: String(before), after: String(after) }, true)}>
          Compare the two
        </Button>
      }
    >
      <Shown of={found}>
        {() => (newest.length === 0 ? <Empty what="No snapshot yet." /> : <DataTable label="Snapshots" rows={newest} columns={columns} id={(one) => one.id} />)}
      </Shown>
    </Card>
  );
}
