/** The steps of a run on its time: one line each, its state in its colour; the chosen one with its facts. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { Card } from "../../parts/Page";
import { Facts, Id, Json, Status } from "../../parts/Small";
import { Empty } from "../../parts/State";
import { duration, moment, plural } from "../../parts/words";
import { STATUSES, bars, reuse, secondsOf } from "./running";
import "./timeline.css";

type Run = Schemas["Run"];

interface TimelineProps {
  root: Run;
  below: Run[];
  selected: string | undefined;
  onSelect: (run: string | undefined) => void;
}

export function Timeline({ root, below, selected, onSelect }: TimelineProps) {
  if (below.length === 0) return <Empty what="Nothing ran inside it." />;
  const chosen = below.find((run) => run.id === selected);
  const known = below.filter((run) => run.status === "cached").length;
  return (
    <div className={chosen ? "grid two" : "stack"}>
      <Card flush title={plural(below.length, "step")} aside={known ? `${known} known, not run again` : undefined}>
        <div className="timeline" role="list">
          {bars(root, below).map(({ run, depth, left, width }) => (
            <button
              key={run.id}
              type="button"
              role="listitem"
              className="timeline-row"
              aria-current={run.id === selected || undefined}
              onClick={() => onSelect(run.id === selected ? undefined : run.id)}
            >
              <span className="timeline-name" style={{ paddingLeft: depth * 14 }}>
                {run.name}
                <span className="dim"> {run.kind === "step" ? "" : run.kind}</span>
              </span>
              <span className="timeline-track">
                <i className={STATUSES[run.status]} style={{ left: `${left * 100}%`, width: `max(4px, ${width * 100}%)` }} />
              </span>
              <span className="timeline-took">{run.status === "cached" ? "known" : duration(secondsOf(run))}</span>
            </button>
          ))}
        </div>
      </Card>
      {chosen && (
        <Card title={chosen.path}>
          <div className="stack">
            <Facts
              of={[
                ["State", <Status key="s" of={chosen.status} look={STATUSES[chosen.status]} />],
                ["Started", chosen.started_at && moment(chosen.started_at)],
                ["Took", duration(secondsOf(chosen))],
                ["Why not run", reuse(chosen)],
                ["From", chosen.reused_from && <Link key="r" to={`/runs/${chosen.reused_from}`}>an earlier run</Link>],
                ["Code", chosen.code_digest && <Id key="c" of={chosen.code_digest} short={22} />],
                ["Seed", chosen.seed],
              ]}
            />
            {Object.keys(chosen.params).length > 0 && <Json of={chosen.params} />}
            <Link to={`/runs/${chosen.id}`}>Open it alone</Link>
          </div>
        </Card>
      )}
    </div>
  );
}
