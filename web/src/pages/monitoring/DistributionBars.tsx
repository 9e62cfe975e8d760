/** The two distributions as bars side by side; empty bins at the ends are left out. */

import { useMemo } from "react";
import type { Schemas } from "../../api/client";
import Chart, { axis, token } from "../../parts/Chart";
import { percent } from "../../parts/words";

export default function DistributionBars({ of }: { of: Schemas["Distribution"] }) {
  const option = useMemo(() => {
    const kept = of.labels.map((_, at) => at).filter((at) => of.reference[at]! > 0 || of.current[at]! > 0);
    const pick = (values: number[]) => kept.map((at) => values[at]!);
    return {
      grid: { left: 44, right: 8, top: 30, bottom: 70 },
      legend: { top: 0, right: 0, textStyle: { color: token("--ink-2") }, itemWidth: 14, itemHeight: 8 },
      tooltip: { trigger: "axis", valueFormatter: (value: number) => percent(value) },
      xAxis: { type: "category", data: kept.map((at) => of.labels[at]!), ...axis({ axisLabel: { rotate: 40, fontSize: 10, color: token("--ink-3"), width: 90, overflow: "truncate" } }) },
      yAxis: { type: "value", ...axis({ axisLabel: { formatter: (value: number) => percent(value, 0), color: token("--ink-3"), fontSize: 11 } }) },
      series: [
        { name: "learned from", type: "bar", data: pick(of.reference), color: token("--series-8"), barGap: "0%" },
        { name: "this window", type: "bar", data: pick(of.current), color: token("--series-1") },
      ],
    };
  }, [of]);
  return <Chart option={option} height={360} label={`Share of rows in each bin of ${of.column}: what was learned from, and this window`} />;
}
