/** The buckets of an endpoint's traffic as series over every part of the time, also those in which nobody asked. */

import type { Schemas } from "../../api/client";

type Traffic = Schemas["EndpointTraffic"];
type Bucket = Schemas["TrafficBucket"];

export interface TrafficSeries {
  times: number[];
  revisions: number[];
  /** By revision, then by time. */
  calls: number[][];
  failures: number[];
  p50: (number | null)[];
  p99: (number | null)[];
}

export function seriesOf(traffic: Traffic): TrafficSeries {
  const since = Date.parse(traffic.since);
  const step = traffic.bucket_s * 1000;
  const count = Math.max(1, Math.round((Date.parse(traffic.until) - since) / step));
  const times = Array.from({ length: count }, (_, at) => since + at * step);
  const revisions = [...new Set(traffic.buckets.map((bucket) => bucket.revision))].sort((a, b) => a - b);
  const place = (bucket: Bucket) => Math.min(count - 1, Math.max(0, Math.round((Date.parse(bucket.starts_at) - since) / step)));
  const calls = revisions.map(() => times.map(() => 0));
  const failures = times.map(() => 0);
  const p50: (number | null)[] = times.map(() => null);
  const p99: (number | null)[] = times.map(() => null);
  for (const bucket of traffic.buckets) {
    const at = place(bucket);
    calls[revisions.indexOf(bucket.revision)]![at]! += bucket.calls;
    failures[at]! += bucket.failures;
    // Of several revisions the slower is shown: that is the one that somebody feels.
    if (bucket.p50_ms !== null) p50[at] = Math.max(p50[at] ?? 0, bucket.p50_ms);
    if (bucket.p99_ms !== null) p99[at] = Math.max(p99[at] ?? 0, bucket.p99_ms);
  }
  return { times, revisions, calls, failures, p50, p99 };
}

export function summed(buckets: readonly Bucket[]): { calls: number; predictions: number; failures: number; slowest: number | null } {
  const slowest = buckets.flatMap((bucket) => (bucket.p99_ms === null ? [] : [bucket.p99_ms]));
  return {
    calls: buckets.reduce((sum, bucket) => sum + bucket.calls, 0),
    predictions: buckets.reduce((sum, bucket) => sum + bucket.predictions, 0),
    failures: buckets.reduce((sum, bucket) => sum + bucket.failures, 0),
    slowest: slowest.length ? Math.max(...slowest) : null,
  };
}
