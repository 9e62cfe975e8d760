/** Drift against its bound, and performance with its intervals beside what was estimated, window by window. */

import { useComputedColorScheme } from "@mantine/core";
import { useMemo } from "react";
import type { Schemas } from "../../api/client";
import Chart, { axis, token } from "../../parts/Chart";
import { Card } from "../../parts/Page";
import { day } from "../../parts/words";

type Window = Schemas["MonitorWindow"];

interface ChartsProps {
  windows: Window[];
  selected: string;
  onSelect: (startsAt: string) => void;
}

export default function Charts({ windows, selected, onSelect }: ChartsProps) {
  const scheme = useComputedColorScheme("light");
  const days = useMemo(() => windows.map((window) => day(window.starts_at)), [windows]);
  const base = useMemo(
    () => ({
      grid: { left: 48, right: 16, top: 34, bottom: 28 },
      legend: { top: 0, right: 0, textStyle: { color: token("--ink-2") }, itemWidth: 16, itemHeight: 8 },
      xAxis: { type: "category", data: days, ...axis() },
    }),
    [days, scheme],
  );
  const marked = useMemo(
    () => ({ symbol: "none", label: { show: false }, lineStyle: { color: token("--ink-3"), type: "dashed" }, data: [{ xAxis: day(selected) }] }),
    [selected, scheme],
  );
  const drift = useMemo(
    () => ({
      ...base,
      yAxis: { type: "value", ...axis() },
      series: [
        { name: "drift", type: "line", data: windows.map((one) => one.drift.score), symbolSize: 6, color: token("--series-1"), markLine: marked },
        { name: "bound", type: "line", step: "middle", data: windows.map((one) => one.drift.threshold), symbol: "none", color: token("--red"), lineStyle: { type: "dashed" } },
      ],
    }),
    [base, marked, windows, scheme],
  );
  const isClass = windows.some((one) => one.performance.error_rate !== null);
  const performance = useMemo(() => {
    const of = (window: Window) => (isClass ? window.performance.error_rate : window.performance.mean_error);
    const bounds = (window: Window) => (isClass ? window.performance.error_rate_interval : window.performance.mean_error_interval);
    const estimated = (window: Window) => (isClass ? window.estimate?.error_rate : window.estimate?.mean_error) ?? null;
    const low = windows.map((one) => bounds(one)?.[0] ?? null);
    const width = windows.map((one) => {
      const found = bounds(one);
      return found ? found[1] - found[0] : null;
    });
    const band = { type: "line", stack: "band", symbol: "none", lineStyle: { opacity: 0 }, tooltip: { show: false }, silent: true };
    return {
      ...base,
      legend: { ...base.legend, data: [isClass ? "error rate" : "mean error", "estimated"] },
      yAxis: { type: "value", scale: true, ...axis() },
      series: [
        { ...band, name: "low", data: low },
        { ...band, name: "interval", data: width, areaStyle: { color: token("--series-3"), opacity: 0.18 } },
        { name: isClass ? "error rate" : "mean error", type: "line", data: windows.map(of), symbolSize: 6, color: token("--series-3"), markLine: marked },
        { name: "estimated", type: "line", data: windows.map(estimated), symbol: "none", color: token("--series-2"), lineStyle: { type: "dotted", width: 2 } },
      ],
    };
  }, [base, isClass, marked, windows, scheme]);
  const pick = (_: string, index: number) => {
    const window = windows[index];
    if (window) onSelect(window.starts_at);
  };
  return (
    <div className="grid">
      <Card title="Drift" aside="the furthest column of each window; click one">
        <Chart option={drift} label="Drift score of each window beside its bound" onPick={pick} height={220} />
      </Card>
      <Card title="Performance" aside="by late truth with its 95% interval, beside the estimate">
        <Chart option={performance} label="Error of each window with its interval, and as it was estimated" onPick={pick} height={220} />
      </Card>
    </div>
  );
}
