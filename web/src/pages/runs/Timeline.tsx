/** The steps of a run on its time: one line each, its state in its colour. */

import type { Schemas } from "../../api/client";
import { Card } from "../../parts/Page";
import { nameOf } from "../../parts/grouping";
import { Empty } from "../../parts/State";
import { duration, plural } from "../../parts/words";
import { STATUSES, bars, secondsOf } from "./running";
import "./timeline.css";

type Run = Schemas["Run"];

interface TimelineProps {
  root: Run;
  below: readonly Run[];
  now: number;
  selected: string | undefined;
  onSelect: (run: string | undefined) => void;
}

export function Timeline({ root, below, now, selected, onSelect }: TimelineProps) {
  if (below.length === 0) return <Empty what={root.status === "running" ? "No step has begun yet." : "Nothing ran inside it."} />;
  const known = below.filter((run) => run.status === "cached").length;
  return (
    <Card flush title="In time" aside={`${plural(below.length, "step")}${known ? `, ${known} known and not run again` : ""}`}>
      <div className="timeline" role="list">
        {bars(root, below, now).map(({ run, depth, left, width }) => (
          <div key={run.id} role="listitem">
            <button type="button" className="timeline-row" aria-pressed={run.id === selected} title={run.path} onClick={() => onSelect(run.id === selected ? undefined : run.id)}>
              <span className="timeline-name" style={{ paddingLeft: depth * 14 }}>
                {nameOf(run.path)}
                <span className="dim"> {run.kind === "step" ? "" : run.kind}</span>
              </span>
              <span className="timeline-track">
                <i className={STATUSES[run.status]} style={{ left: `${Math.min(left * 100, 99.5)}%`, width: `max(4px, ${width * 100}%)` }} />
              </span>
              <span className="timeline-took">{run.status === "cached" ? "known" : duration(secondsOf(run, now))}</span>
            </button>
          </div>
        ))}
      </div>
    </Card>
  );
}
