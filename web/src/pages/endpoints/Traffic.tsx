/** How much was asked, how long it took, and what failed, over time and by revision. */

import { SegmentedControl, useComputedColorScheme } from "@mantine/core";
import { useMemo } from "react";
import { useVerb } from "../../api/hooks";
import Chart, { axis, token } from "../../parts/Chart";
import { Card } from "../../parts/Page";
import { Figure, Figures } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { duration, figure, moment, percent } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { seriesOf, summed } from "./asking";

const WINDOWS = [
  { value: "1", label: "Hour" },
  { value: "24", label: "Day" },
  { value: "168", label: "Week" },
];

export default function Traffic({ endpoint }: { endpoint: string }) {
  const [address, change] = useAddress<{ hours: string }>();
  const scheme = useComputedColorScheme("light");
  const hours = address.hours ?? "1";
  const found = useVerb("predictions.traffic", { endpoint, hours: Number(hours), buckets: 60 });
  const charts = useMemo(() => (found.data ? options(found.data) : null), [found.data, scheme]);
  const total = found.data ? summed(found.data.buckets) : null;
  return (
    <Card
      title="Requests"
      aside={
        <span className="row">
          {found.data && found.data.buckets.length > 0 && `until ${moment(found.data.until)}`}
          <SegmentedControl data={WINDOWS} value={hours} onChange={(value) => change({ hours: value === "1" ? undefined : value })} aria-label="How far back" />
        </span>
      }
    >
      <Shown of={found} rows={5}>
        {({ buckets, bucket_s }) =>
          buckets.length === 0 || charts === null || total === null ? (
            <Empty what="Nobody has asked." />
          ) : (
            <div className="stack">
              <Figures>
                <Figure value={figure(total.calls)} label="calls answered" />
                <Figure value={figure(total.predictions)} label="predictions" />
                <Figure value={percent(total.failures / Math.max(1, total.calls + total.failures), 2)} label="of calls failed" />
                <Figure value={total.slowest === null ? "–" : `${figure(total.slowest)} ms`} label={`highest p99 of ${duration(bucket_s)}`} />
              </Figures>
              <div className="grid">
                <Chart option={charts.calls} height={190} label="Calls over time, by revision, and those that failed" />
                <Chart option={charts.latency} height={190} label="Latency over time: p50 and p99" />
              </div>
            </div>
          )
        }
      </Shown>
    </Card>
  );
}

function options(traffic: Parameters<typeof seriesOf>[0]) {
  const { times, revisions, calls, failures, p50, p99 } = seriesOf(traffic);
  const base = {
    grid: { left: 52, right: 12, top: 30, bottom: 24 },
    legend: { type: "scroll", top: 0, left: 60, right: 0, textStyle: { color: token("--ink-2") }, itemWidth: 14, itemHeight: 8 },
    xAxis: { type: "category", data: times.map((time) => moment(time).slice(5, 16)), ...axis() },
  };
  return {
    calls: {
      ...base,
      yAxis: { type: "value", name: "calls", ...axis() },
      series: [
        ...revisions.map((revision, at) => ({ name: `revision ${revision}`, type: "bar", stack: "calls", data: calls[at], color: token(`--series-${(at % 6) + 1}`) })),
        { name: "failed", type: "bar", stack: "calls", data: failures, color: token("--red") },
      ],
    },
    latency: {
      ...base,
      yAxis: { type: "value", name: "ms", ...axis() },
      tooltip: { trigger: "axis", valueFormatter: (value: number) => `${figure(value)} ms` },
      series: [
        { name: "p50", type: "line", data: p50, color: token("--series-1"), symbolSize: 4 },
        { name: "p99", type: "line", data: p99, color: token("--series-2"), symbolSize: 4 },
      ],
    },
  };
}
