/** What is worked out of runs: how long they took, how they lie in time, whether they fit a filter. */

import type { Schemas } from "../../api/client";

type Run = Schemas["Run"];

export const STATUSES: Record<Run["status"], "good" | "waits" | "bad" | "works" | "by-hand" | ""> = {
  done: "good",
  cached: "good",
  running: "works",
  queued: "waits",
  waiting: "waits",
  interrupted: "waits",
  failed: "bad",
  cancelled: "by-hand",
};

export function secondsOf(run: Run, now = Date.now()): number | null {
  if (run.started_at === null) return null;
  const end = run.ended_at === null ? (run.status === "running" ? now : null) : Date.parse(run.ended_at);
  return end === null ? null : Math.max(0, (end - Date.parse(run.started_at)) / 1000);
}

/** Runs that were loaded, with the newest as they stand now before them. Ids rise with time. */
export function joined(newest: readonly Run[], loaded: readonly Run[]): Run[] {
  const known = new Set(newest.map((run) => run.id));
  return [...newest, ...loaded.filter((run) => !known.has(run.id))].sort((a, b) => (a.id < b.id ? 1 : -1));
}

export interface Bar {
  run: Run;
  depth: number;
  /** Parts of the whole, 0 to 1. */
  left: number;
  width: number;
}

/** Each run inside a run as a bar on the time of the whole, in the order of starting; those below a step are set in. */
export function bars(root: Run, below: readonly Run[], now = Date.now()): Bar[] {
  const begun = (run: Run) => Date.parse(run.started_at ?? run.recorded_at);
  const ended = (run: Run) => (run.ended_at ? Date.parse(run.ended_at) : run.status === "running" ? now : begun(run));
  const start = begun(root);
  const whole = Math.max(1, Math.max(ended(root), ...below.map(ended)) - start);
  return [...below]
    .sort((a, b) => begun(a) - begun(b) || a.path.localeCompare(b.path))
    .map((run) => ({
      run,
      depth: Math.max(0, run.path.split("/").length - root.path.split("/").length - 1),
      left: Math.min(1, Math.max(0, (begun(run) - start) / whole)),
      width: Math.max(0, (ended(run) - begun(run)) / whole),
    }));
}
