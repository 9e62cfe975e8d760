/** Pipelines: how each ran last, what starts it, and when next. */

import { Link, useNavigate } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { STATUSES } from "../runs/running";
import { Marks } from "./Marks";
import { whenOf } from "./telling";

type Line = Schemas["PipelineLine"];

const COLUMNS: Column<Line>[] = [
  { name: "name", title: "Pipeline", value: (line) => line.name, cell: (line) => <Link to={`/pipelines/${line.name}`}>{line.name}</Link> },
  { name: "runs", title: "Last runs", value: (line) => line.runs.length, cell: (line) => <Marks runs={line.runs} /> },
  {
    name: "newest",
    title: "Newest",
    value: (line) => line.runs[0]?.recorded_at,
    cell: (line) => {
      const run = line.runs[0];
      if (!run) return <span className="dim">–</span>;
      return (
        <span className="row" style={{ flexWrap: "nowrap" }}>
          <Status of={run.status} look={STATUSES[run.status as keyof typeof STATUSES]} />
          <Time at={run.recorded_at} />
        </span>
      );
    },
  },
  {
    name: "starts",
    title: "Starts by itself",
    value: (line) => line.triggers.map(whenOf).join("; "),
    cell: (line) => <Starts of={line} />,
  },
  { name: "next", title: "Next", value: (line) => line.next_at, cell: (line) => <Time at={line.next_at} /> },
  {
    name: "target",
    title: "Code",
    value: (line) => line.target ?? "",
    cell: (line) => (line.target ? <span className="id">{line.target}</span> : <span className="dim">not published</span>),
  },
];

function Starts({ of }: { of: Line }) {
  if (of.triggers.length === 0) return <span className="dim">by hand</span>;
  const paused = of.triggers.every((trigger) => trigger.is_paused);
  return (
    <span className="row" style={{ flexWrap: "nowrap" }}>
      {paused && <Status of="paused" />}
      <span title={of.triggers.map(whenOf).join("; ")}>
        {whenOf(of.triggers[0]!)}
        {of.triggers.length > 1 && <span className="dim"> and {of.triggers.length - 1} more</span>}
      </span>
    </span>
  );
}

export function Pipelines() {
  const found = useVerb("pipelines.list", null);
  const navigate = useNavigate();
  return (
    <Page
      name="Pipelines"
      title="Pipelines"
      about="What can run: how each ran last (a mark for each run, the newest to the right, as high as it took long), what starts it, and when next."
      twin={path("pipelines.list")}
    >
      <Card flush>
        <Shown of={found}>
          {(lines) =>
            lines.length === 0 ? (
              <Empty what="No pipeline has run yet, and none is published.">
                <span>
                  Run one with <code>treadle run pipeline.py</code>; let it run by itself with <code>treadle publish</code>.
                </span>
              </Empty>
            ) : (
              <DataTable
                label="Pipelines"
                rows={lines}
                columns={COLUMNS}
                id={(line) => line.name}
                onOpen={(line) => void navigate({ to: `/pipelines/${line.name}` })}
              />
            )
          }
        </Shown>
      </Card>
    </Page>
  );
}
