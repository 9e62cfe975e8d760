/** Where the model is weakest: slices found by themselves, and declared groups. */

import type { Schemas } from "../../api/client";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Empty } from "../../parts/State";
import { figure } from "../../parts/words";

type Slice = Schemas["Slice"];

const COLUMNS: Column<Slice>[] = [
  { name: "where", title: "Where", value: (one) => words(one) },
  { name: "n", title: "Labelled", right: true, value: (one) => one.n, cell: (one) => figure(one.n) },
  { name: "loss", title: "Loss there", right: true, value: (one) => one.loss, cell: (one) => `${figure(one.loss)}${one.interval ? ` (${figure(one.interval[0])} to ${figure(one.interval[1])})` : ""}` },
  { name: "others", title: "Loss elsewhere", right: true, value: (one) => one.others, cell: (one) => figure(one.others) },
];

function words(slice: Slice): string {
  return Object.entries(slice.where)
    .map(([column, value]) => `${column} ${value}`)
    .join(" and ");
}

export function Slices({ window }: { window: Schemas["MonitorWindow"] }) {
  return (
    <div className="grid">
      <Card flush title="Weakest slices" aside="found by themselves">
        {window.slices.length === 0 ? (
          <Empty what="No slice stands out.">It takes labelled rows, and a slice that is worse than chance would have it.</Empty>
        ) : (
          <DataTable label="Weakest slices" rows={window.slices} columns={COLUMNS} id={words} />
        )}
      </Card>
      <Card flush title="Groups" aside="as declared">
        {window.groups.length === 0 ? (
          <Empty what="No group is declared.">
            <code>td.watch(…, group="…")</code>
          </Empty>
        ) : (
          <DataTable label="Groups" rows={window.groups} columns={COLUMNS} id={words} />
        )}
      </Card>
    </div>
  );
}
