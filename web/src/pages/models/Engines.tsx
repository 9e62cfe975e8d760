/** In which form a version serves: each was compared with the original, and the fastest within tolerance was taken. */

import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Status } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { bytes, figure } from "../../parts/words";

type Comparison = Schemas["treadle.systems.serve.conversion.records.Comparison"];

const LOOKS = { serves: "good", "within tolerance": "", outside: "bad", failed: "bad" } as const;

const COLUMNS: Column<Comparison>[] = [
  { name: "verdict", title: "", value: (one) => one.verdict, cell: (one) => <Status of={one.verdict} look={LOOKS[one.verdict]} /> },
  { name: "name", title: "Form", value: (one) => one.name },
  { name: "engine", title: "Engine", value: (one) => one.engine },
  { name: "largest", title: "Largest difference", right: true, value: (one) => one.largest_difference, cell: (one) => figure(one.largest_difference) },
  { name: "flips", title: "Labels flipped", right: true, value: (one) => one.label_flips, cell: (one) => figure(one.label_flips) },
  ...["1", "8", "32", "128"].map((rows): Column<Comparison> => ({
    name: `rows ${rows}`,
    title: `µs, ${rows} ${rows === "1" ? "row" : "rows"}`,
    right: true,
    value: (one) => one.call_us[rows],
    cell: (one) => figure(one.call_us[rows]),
  })),
  { name: "size", title: "Size", right: true, value: (one) => one.size_bytes, cell: (one) => bytes(one.size_bytes) },
  { name: "reason", title: "Why", value: (one) => one.reason },
];

export function Engines({ model, version }: { model: string; version: string }) {
  const found = useVerb("engines.get", { model, version }, { fixed: true });
  return (
    <Card flush title="Forms that were compared" aside={found.data?.choice ? `tolerance ${figure(found.data.choice.tolerance)}` : undefined}>
      <Shown of={found}>
        {({ choice }) =>
          choice === null ? (
            <Empty what="It was registered as it is.">No other form was offered, so none was compared.</Empty>
          ) : (
            <DataTable label="Forms" rows={choice.comparisons} columns={COLUMNS} id={(one) => one.name} />
          )
        }
      </Shown>
    </Card>
  );
}
