/** What a run took in from outside, and what its steps made: datasets, models, values, with links to each. */

import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Id, Status } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { bytes, figure, plural } from "../../parts/words";
import { nameOf } from "../../parts/grouping";
import { makersOf, snapshotOf } from "./steps";

type Run = Schemas["Run"];
type RunEdge = Schemas["RunEdge"];
type Row = RunEdge & { step: string };

export function Things({ run, below }: { run: Run; below: readonly Run[] }) {
  const found = useVerb("runs.edges", { run: run.id });
  const names = useMemo(() => new Map([run, ...below].map((one) => [one.id, nameOf(one.path)])), [run, below]);
  const columns = useMemo(columnsOf, []);
  return (
    <Shown of={found}>
      {(edges) => {
        const makers = makersOf(below, edges);
        const rows: Row[] = edges.map((edge) => ({ ...edge, step: names.get(edge.run) ?? edge.run }));
        const taken = rows.filter((row) => row.direction === "in" && makers.of(row) === undefined);
        const made = rows.filter((row) => row.direction === "out" && row.run !== run.root);
        return (
          <div className="stack">
            <Card flush title="Taken in from outside" aside={plural(taken.length, "input")}>
              {taken.length === 0 ? <Empty what="Nothing recorded came in from outside." /> : <DataTable label="Inputs" rows={taken} columns={columns} id={idOf} height="40vh" />}
            </Card>
            <Card flush title="Made" aside={plural(made.length, "output")}>
              {made.length === 0 ? <Empty what="Its steps have made nothing yet." /> : <DataTable label="Outputs" rows={made} columns={columns} id={idOf} height="55vh" />}
            </Card>
          </div>
        );
      }}
    </Shown>
  );
}

function idOf(row: Row): string {
  return `${row.run} ${row.direction} ${row.role}`;
}

function columnsOf(): Column<Row>[] {
  return [
    { name: "step", title: "Step", value: (row) => row.step },
    { name: "role", title: "As", value: (row) => row.role },
    { name: "what", title: "What", value: (row) => row.kind ?? "", cell: (row) => <What of={row} /> },
    { name: "about", title: "", value: (row) => aboutOf(row), cell: (row) => <span className="dim" title={row.text ?? undefined}>{aboutOf(row)}</span> },
    { name: "size", title: "Size", right: true, value: (row) => row.size_bytes, cell: (row) => bytes(row.size_bytes) },
    { name: "digest", title: "Digest", value: (row) => row.digest, cell: (row) => <Id of={row.digest} short={18} /> },
  ];
}

/** inside: by id, what steps of the same run are called. */
export function What({ of, inside }: { of: RunEdge; inside?: ReadonlyMap<string, string> }) {
  const snapshot = snapshotOf(of);
  if (of.is_gone) return <Status of="gone" look="waits" />;
  if (snapshot !== null) return <Link to={`/datasets/${String(of.meta["dataset"])}`}>{snapshot}</Link>;
  const maker = inside?.get(of.producer ?? "");
  if (of.direction === "in" && maker !== undefined) {
    return (
      <span>
        {of.kind} of{" "}
        <Link to="." search={((before: Record<string, unknown>) => ({ ...before, step: of.producer })) as never}>
          {maker}
        </Link>
      </span>
    );
  }
  if (of.direction === "in" && of.producer?.startsWith("run_")) {
    return (
      <span>
        {of.kind} of <Link to={`/runs/${of.producer}`}>an earlier run</Link>
      </span>
    );
  }
  return <span>{of.kind}</span>;
}

/** The artifact itself where it is short, else what is known of it. */
export function aboutOf(edge: RunEdge): string {
  if (edge.text !== null && edge.kind !== "snapshot") return edge.text.length > 90 ? `${edge.text.slice(0, 90)}…` : edge.text;
  return Object.entries(edge.meta)
    .filter(([name]) => name !== "dataset" && name !== "version")
    .map(([name, value]) => (typeof value === "number" ? `${figure(value)} ${name}` : String(value)))
    .join(", ");
}
