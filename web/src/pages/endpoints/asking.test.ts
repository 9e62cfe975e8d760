import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { seriesOf, summed } from "./asking";

const bucket = (starts_at: string, revision: number, calls: number, p99_ms: number | null): Schemas["TrafficBucket"] => ({
  starts_at, revision, calls, predictions: calls * 2, failures: revision === 2 ? 1 : 0, p50_ms: p99_ms === null ? null : p99_ms / 2, p99_ms,
});
const traffic: Schemas["EndpointTraffic"] = {
  endpoint: "late", since: "2026-01-01T00:00:00Z", until: "2026-01-01T03:00:00Z", bucket_s: 3600,
  buckets: [bucket("2026-01-01T00:00:00Z", 1, 5, 4), bucket("2026-01-01T02:00:00Z", 1, 1, 2), bucket("2026-01-01T02:00:00Z", 2, 3, 9)],
};

it("shows every part of the time, also the quiet ones", () => {
  const found = seriesOf(traffic);

  expect(found.calls).toEqual([[5, 0, 1], [0, 0, 3]]);
  expect(found.failures).toEqual([0, 0, 1]);
  expect(found.p99).toEqual([4, null, 9]);
});

it("sums what was asked", () => {
  expect(summed(traffic.buckets)).toEqual({ calls: 9, predictions: 18, failures: 1, slowest: 9 });
});
