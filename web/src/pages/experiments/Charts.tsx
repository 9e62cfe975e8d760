/** Charts of some runs: lines over steps, every run as a line through its figures, two figures against each other, bars. */

import { Chip, Select, SegmentedControl, Slider, Switch } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { verbQuery } from "../../api/hooks";
import Chart, { axis, token } from "../../parts/Chart";
import { Card } from "../../parts/Page";
import { Empty, Loading } from "../../parts/State";
import { figure } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { columnsOf, smoothed, valueOf, type Tracked } from "./tracked";

const POINTS = 1200;
const MOST_RUNS = 50;
const WATCH_EVERY_MS = 2000;

interface Address extends Record<string, unknown> {
  metrics: string[];
  x: string;
  smooth: string;
  log: boolean;
  from: string;
  to: string;
  across: string;
  up: string;
}

export default function Charts({ runs }: { runs: Tracked[] }) {
  const shown = useMemo(() => runs.slice(0, MOST_RUNS), [runs]);
  const known = useMemo(() => columnsOf(shown), [shown]);
  const [address, change] = useAddress<Address>();
  const metrics = address.metrics ?? known.metrics.slice(0, 2);
  if (shown.length === 0) return <Empty what="No run is chosen.">Choose runs in the table.</Empty>;
  return (
    <div className="stack">
      <Chip.Group multiple value={metrics} onChange={(next) => change({ metrics: next })}>
        <div className="row">
          {known.metrics.map((metric) => (
            <Chip key={metric} value={metric} size="xs">
              {metric}
            </Chip>
          ))}
        </div>
      </Chip.Group>
      <div className="row">
        <SegmentedControl
          data={[
            { value: "step", label: "Step" },
            { value: "time", label: "Time" },
            { value: "relative", label: "Since start" },
          ]}
          value={address.x ?? "step"}
          onChange={(x) => change({ x: x === "step" ? undefined : x })}
          aria-label="Across"
        />
        <label className="row" style={{ flex: "0 1 240px", flexWrap: "nowrap" }}>
          Smooth
          <Slider value={Number(address.smooth ?? 0)} onChange={(value) => change({ smooth: value ? String(value) : undefined })} max={99} label={null} thumbLabel="Smoothing" style={{ flex: 1 }} />
        </label>
        <Switch label="Logarithmic" checked={address.log === true} onChange={(event) => change({ log: event.currentTarget.checked || undefined })} />
        <span className="dim">
          {shown.length} of {runs.length} runs; a drag zooms in, and asks for what lies there exactly
        </span>
      </div>
      <div className="grid">
        {metrics.map((metric) => (
          <Lines key={metric} metric={metric} runs={shown} />
        ))}
      </div>
      <div className="grid">
        <Scatter runs={shown} columns={[...known.metrics.map((key) => `metrics.${key}`), ...known.params.map((key) => `params.${key}`)]} />
        <Parallel runs={shown} columns={[...known.params.slice(0, 5).map((key) => `params.${key}`), ...known.metrics.slice(0, 4).map((key) => `metrics.${key}`)]} />
      </div>
      <Bars runs={shown} metric={metrics[0]} />
    </div>
  );
}

function Lines({ metric, runs }: { metric: string; runs: Tracked[] }) {
  const [address] = useAddress<Address>();
  const [zoom, setZoom] = useState<[number, number] | null>(null);
  const way = address.x ?? "step";
  const weight = Number(address.smooth ?? 0) / 100;
  const having = useMemo(() => runs.filter((run) => run.metrics.some((point) => point.key === metric)), [runs, metric]);
  const isZoomed = zoom !== null && way === "step";
  const found = useQueries({
    queries: having.map((run) => ({
      ...verbQuery(
        "metrics.history",
        { run: run.run, key: metric, points: POINTS, ...(isZoomed ? { first_step: Math.floor(zoom[0]), last_step: Math.ceil(zoom[1]) } : {}) },
        { everyMs: run.status === "RUNNING" ? WATCH_EVERY_MS : false, fixed: run.status !== "RUNNING" },
      ),
      placeholderData: (before: unknown) => before as never,
    })),
  });
  const data = found.map((one) => one.data);
  const stamp = found.map((one) => one.dataUpdatedAt).join();
  const option = useMemo(() => {
    const series = having.map((run, at) => {
      const history = data[at];
      const values = history ? smoothed(history.values, weight) : [];
      const start = history?.times_ms[0] ?? 0;
      const across = !history ? [] : way === "step" ? history.steps : way === "time" ? history.times_ms : history.times_ms.map((time) => (time - start) / 1000);
      return { name: run.name, type: "line", symbol: "none", lineStyle: { width: 1.4 }, data: values.map((value, place) => [across[place], value]) };
    });
    return {
      grid: { left: 52, right: 14, top: 12, bottom: 52 },
      legend: having.length <= 12 ? { bottom: 0, type: "scroll", textStyle: { color: token("--ink-2") }, itemWidth: 14, itemHeight: 8 } : undefined,
      tooltip: { trigger: "axis", valueFormatter: (value: number) => figure(value), order: "valueAsc", confine: true },
      xAxis: { type: way === "time" ? "time" : "value", min: "dataMin", max: "dataMax", ...axis() },
      yAxis: { type: address.log ? "log" : "value", scale: true, ...axis() },
      dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" }],
      toolbox: { right: 8, top: -4, feature: { dataZoom: { yAxisIndex: "none" }, restore: {} }, iconStyle: { borderColor: token("--ink-3") } },
      series,
    };
  }, [having, stamp, weight, way, address.log]);
  if (having.length === 0) return null;
  return (
    <Card title={metric} aside={isZoomed ? `steps ${figure(Math.floor(zoom[0]))} to ${figure(Math.ceil(zoom[1]))}` : `${having.length} runs`}>
      {data.every((one) => one === undefined) ? <Loading rows={4} /> : <Chart option={option} label={`${metric} of ${having.length} runs`} height={300} onZoom={(from, to) => Number.isFinite(from) && Number.isFinite(to) && to > from && setZoom([from, to])} />}
    </Card>
  );
}

function numbers(runs: Tracked[], column: string): (number | null)[] {
  return runs.map((run) => {
    const value = valueOf(run, column);
    if (value === null) return null;
    const number = Number(value);
    return Number.isFinite(number) ? number : null;
  });
}

function Scatter({ runs, columns }: { runs: Tracked[]; columns: string[] }) {
  const [address, change] = useAddress<Address>();
  const across = address.across ?? columns[0] ?? "";
  const up = address.up ?? columns[1] ?? columns[0] ?? "";
  const option = useMemo(() => {
    const x = numbers(runs, across);
    const y = numbers(runs, up);
    return {
      grid: { left: 52, right: 14, top: 12, bottom: 28 },
      tooltip: { trigger: "item", formatter: (one: { data: [number, number, string] }) => `${one.data[2]}<br>${figure(one.data[0])}, ${figure(one.data[1])}` },
      xAxis: { type: "value", scale: true, ...axis() },
      yAxis: { type: "value", scale: true, ...axis() },
      series: [{ type: "scatter", symbolSize: 8, color: token("--series-1"), data: runs.map((run, at) => [x[at], y[at], escaped(run.name)]).filter(([one, other]) => one !== null && other !== null) }],
    };
  }, [runs, across, up]);
  return (
    <Card title="One against another">
      <div className="row">
        <Select aria-label="Across" data={columns} value={across} onChange={(value) => change({ across: value ?? undefined })} allowDeselect={false} />
        <Select aria-label="Up" data={columns} value={up} onChange={(value) => change({ up: value ?? undefined })} allowDeselect={false} />
      </div>
      <Chart option={option} label={`${up} against ${across}`} height={280} />
    </Card>
  );
}

/** Names are others' text, and a tooltip is HTML. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function Parallel({ runs, columns }: { runs: Tracked[]; columns: string[] }) {
  const option = useMemo(() => {
    const axes = columns.map((column, dim) => {
      const values = runs.map((run) => valueOf(run, column));
      const isNumber = values.every((value) => value === null || Number.isFinite(Number(value)));
      const shared = { dim, name: column.slice(column.indexOf(".") + 1), nameTextStyle: { color: token("--ink-2"), fontSize: 11 }, axisLabel: { color: token("--ink-3"), fontSize: 10 }, axisLine: { lineStyle: { color: token("--line-strong") } } };
      return isNumber ? { ...shared, scale: true } : { ...shared, type: "category", data: [...new Set(values.filter((value) => value !== null).map(String))] };
    });
    return {
      parallel: { left: 40, right: 60, top: 36, bottom: 16 },
      parallelAxis: axes,
      tooltip: { show: false },
      series: [{ type: "parallel", lineStyle: { width: 1.3, opacity: 0.55, color: token("--series-1") }, data: runs.map((run) => columns.map((column, dim) => ("type" in axes[dim]! ? String(valueOf(run, column) ?? "") : (valueOf(run, column) ?? NaN)))) }],
    };
  }, [runs, columns.join()]);
  if (columns.length < 2) return null;
  return (
    <Card title="Every run as a line">
      <Chart option={option} label="Parameters and metrics of every run, a line each" height={316} />
    </Card>
  );
}

function Bars({ runs, metric }: { runs: Tracked[]; metric: string | undefined }) {
  const option = useMemo(() => {
    const values = metric ? numbers(runs, `metrics.${metric}`) : [];
    return {
      grid: { left: 52, right: 14, top: 12, bottom: 60 },
      xAxis: { type: "category", data: runs.map((run) => run.name), ...axis({ axisLabel: { rotate: 40, fontSize: 10, color: token("--ink-3"), width: 90, overflow: "truncate" } }) },
      yAxis: { type: "value", scale: true, ...axis() },
      tooltip: { trigger: "axis", valueFormatter: (value: number) => figure(value) },
      series: [{ type: "bar", name: metric, color: token("--series-1"), data: values }],
    };
  }, [runs, metric]);
  if (!metric) return null;
  return (
    <Card title={`${metric}, the latest of each run`}>
      <Chart option={option} label={`${metric} of each run`} height={240} />
    </Card>
  );
}
