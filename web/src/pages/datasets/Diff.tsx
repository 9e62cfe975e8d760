/** What lies between two snapshots: columns, rows, and how far values moved. */

import { Button } from "@mantine/core";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Figure, Figures, Status } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { figure, percent } from "../../parts/words";
import { useAddress } from "../../shell/address";

type ColumnDiff = Schemas["ColumnDiff"];

const READINGS = { alike: "good", moved: "waits", "far apart": "bad", "not measured": "", "too few rows": "" } as const;

const COLUMNS: Column<ColumnDiff>[] = [
  { name: "reading", title: "", value: (one) => one.reading, cell: (one) => <Status of={one.reading} look={READINGS[one.reading]} /> },
  { name: "name", title: "Column", value: (one) => one.name },
  { name: "stability", title: "Stability index", right: true, value: (one) => one.stability, cell: (one) => figure(one.stability) },
  { name: "mean", title: "Mean", right: true, value: (one) => one.after.mean, cell: (one) => (one.before.mean === null ? "" : `${figure(one.before.mean)} → ${figure(one.after.mean)}`) },
  { name: "nulls", title: "Nulls", right: true, value: (one) => one.after.null_share, cell: (one) => `${percent(one.before.null_share)} → ${percent(one.after.null_share)}` },
  { name: "distinct", title: "Distinct", right: true, value: (one) => one.after.distinct, cell: (one) => (one.before.distinct === null ? "" : `${figure(one.before.distinct)} → ${figure(one.after.distinct)}`) },
];

export function Diff({ name, before, after }: { name: string; before: string; after: string | null }) {
  const found = useVerb("datasets.diff", { name, before, after }, { fixed: after !== null });
  const [, change] = useAddress<{ before: string; after: string }>();
  return (
    <div className="stack" style={{ marginBottom: 16 }}>
      <Card
        title={`v${before} beside v${after ?? "the newest"}`}
        aside={
          <Button variant="subtle" onClick={() => change({ before: undefined, after: undefined })}>
            Close
          </Button>
        }
      >
        <Shown of={found} rows={6}>
          {({ rows, schema, is_same }) => (
            <div className="stack">
              {is_same && <Status of="the same rows" look="good" />}
              <Figures>
                <Figure value={figure(rows.added)} label="rows came" />
                <Figure value={figure(rows.removed)} label="rows went" />
                <Figure value={figure(rows.changed)} label="changed" />
                <Figure value={figure(rows.same)} label="are the same" />
              </Figures>
              {[
                ["Columns that came", schema.added.map((column) => `${column.name} (${column.type})`)],
                ["Columns that went", schema.removed.map((column) => `${column.name} (${column.type})`)],
                ["Columns of another type", schema.retyped.map((column) => `${column.name}: ${column.before} → ${column.after}`)],
              ].map(([title, names]) =>
                names!.length ? (
                  <span key={title as string}>
                    {title}: <b>{(names as string[]).join(", ")}</b>
                  </span>
                ) : null,
              )}
            </div>
          )}
        </Shown>
      </Card>
      {found.data && (
        <Card flush title="How far values moved">
          <DataTable label="Columns compared" rows={found.data.columns} columns={COLUMNS} id={(one) => one.name} height={420} />
        </Card>
      )}
    </div>
  );
}
