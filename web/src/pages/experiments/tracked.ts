/** Tracked runs as rows and series: values by their names, smoothing, what differs between some of them. */

import type { Schemas } from "../../api/client";

export type Tracked = Schemas["TrackedRun"];

export const STATUS_LOOKS: Record<string, "good" | "works" | "bad" | "waits"> = {
  FINISHED: "good",
  RUNNING: "works",
  SCHEDULED: "waits",
  FAILED: "bad",
  KILLED: "bad",
};

/** A column by its name as the filter language spells it: `metrics.loss`, `params.lr`, `tags.owner`. */
export function valueOf(run: Tracked, column: string): string | number | null {
  const dot = column.indexOf(".");
  const kind = column.slice(0, dot);
  const key = column.slice(dot + 1);
  if (kind === "metrics") return run.metrics.find((point) => point.key === key)?.value ?? null;
  if (kind === "params") return run.params.find((pair) => pair.key === key)?.value ?? null;
  if (kind === "tags") return run.tags.find((pair) => pair.key === key)?.value ?? null;
  return null;
}

/** Every column that some runs have; the system's own tags are left out. */
export function columnsOf(runs: readonly Tracked[]): { metrics: string[]; params: string[]; tags: string[] } {
  const metrics = new Set<string>();
  const params = new Set<string>();
  const tags = new Set<string>();
  for (const run of runs) {
    for (const point of run.metrics) metrics.add(point.key);
    for (const pair of run.params) params.add(pair.key);
    for (const pair of run.tags) if (!pair.key.startsWith("mlflow.")) tags.add(pair.key);
  }
  return { metrics: [...metrics].sort(), params: [...params].sort(), tags: [...tags].sort() };
}

/** A name as the filter language takes it: in backticks where it holds more than letters, digits, dots and underscores. */
export function spelled(kind: string, key: string): string {
  return /^[\w.]+$/.test(key) ? `${kind}.${key}` : `${kind}.\`${key}\``;
}

/** An exponential moving average that begins without bias: weight 0 leaves values as they are, near 1 smooths most. */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  let mean = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return value;
    mean = mean * weight + value * (1 - weight);
    mass = mass * weight + (1 - weight);
    return mean / mass;
  });
}

export interface Difference {
  name: string;
  values: (string | null)[];
  differs: boolean;
}

/** Each name with the values of the runs side by side, and whether they are all the same. */
export function differences(of: readonly Map<string, string>[]): Difference[] {
  const names = [...new Set(of.flatMap((each) => [...each.keys()]))].sort();
  return names.map((name) => {
    const values = of.map((each) => each.get(name) ?? null);
    return { name, values, differs: new Set(values).size > 1 };
  });
}
