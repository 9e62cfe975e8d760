/** The last runs of a pipeline as a row of small marks, the newest to the right: how each ended, and how long it took. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { duration, moment, plural } from "../../parts/words";
import { STATUSES } from "../runs/running";
import "./marks.css";

type Mark = Schemas["RunMark"];

export function Marks({ runs }: { runs: readonly Mark[] }) {
  if (runs.length === 0) return <span className="dim">never ran</span>;
  const longest = Math.max(...runs.map((run) => seconds(run) ?? 0), 0.001);
  return (
    <span className="marks" role="list" aria-label={`The last ${plural(runs.length, "run")}`}>
      {[...runs].reverse().map((run) => (
        <Link
          key={run.id}
          to={`/runs/${run.id}`}
          role="listitem"
          className={`mark ${STATUSES[run.status as keyof typeof STATUSES] ?? ""}`}
          style={{ height: 8 + Math.round(12 * Math.sqrt((seconds(run) ?? 0) / longest)) }}
          title={`${run.status}, ${moment(run.started_at ?? run.recorded_at)}, ${duration(seconds(run))}`}
          aria-label={`${run.status}, ${moment(run.started_at ?? run.recorded_at)}`}
        />
      ))}
    </span>
  );
}

export function seconds(run: Mark, now = Date.now()): number | null {
  if (run.started_at === null) return null;
  const end = run.ended_at ? Date.parse(run.ended_at) : run.status === "running" ? now : null;
  return end === null ? null : Math.max(0, (end - Date.parse(run.started_at)) / 1000);
}
