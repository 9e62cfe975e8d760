/** A chart by ECharts in the colours of the tokens; drawn anew when the scheme or the size changes. */

import { useComputedColorScheme } from "@mantine/core";
import { BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart } from "echarts/charts";
import {
  BrushComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  ParallelComponent,
  ToolboxComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { init, use, type ECharts, type EChartsCoreOption } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";

use([
  BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart,
  BrushComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, ParallelComponent,
  ToolboxComponent, TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

interface ChartProps {
  option: EChartsCoreOption;
  height?: number;
  /** What the chart shows, in a sentence, for those who do not see it. */
  label: string;
  onZoom?: (from: number, to: number) => void;
  onPick?: (name: string, index: number) => void;
}

export default function Chart({ option, height = 240, label, onZoom, onPick }: ChartProps) {
  const scheme = useComputedColorScheme("light");
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const calls = useRef({ onZoom, onPick });
  calls.current = { onZoom, onPick };

  useEffect(() => {
    const made = init(box.current!, null, { renderer: "canvas" });
    chart.current = made;
    made.on("datazoom", () => {
      const zoom = (made.getOption()["dataZoom"] as { startValue: number; endValue: number }[] | undefined)?.[0];
      if (zoom) calls.current.onZoom?.(zoom.startValue, zoom.endValue);
    });
    made.on("click", (event) => calls.current.onPick?.(event.seriesName ?? event.name, event.dataIndex));
    const sized = new ResizeObserver(() => made.resize());
    sized.observe(box.current!);
    return () => {
      sized.disconnect();
      made.dispose();
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption({ ...looks(), ...option }, { notMerge: true });
  }, [option, scheme]);

  return <div ref={box} role="img" aria-label={label} style={{ height, width: "100%" }} />;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function looks(): EChartsCoreOption {
  return {
    color: Array.from({ length: 8 }, (_, at) => token(`--series-${at + 1}`)),
    backgroundColor: "transparent",
    animation: false,
    textStyle: { fontFamily: token("--font"), color: token("--ink-2"), fontSize: 12 },
    tooltip: {
      trigger: "axis",
      backgroundColor: token("--surface"),
      borderColor: token("--line"),
      textStyle: { color: token("--ink"), fontSize: 12 },
      confine: true,
    },
  };
}

/** An axis in the colours of the tokens. */
export function axis(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    axisLine: { lineStyle: { color: token("--line-strong") } },
    axisTick: { show: false },
    axisLabel: { color: token("--ink-3"), fontSize: 11 },
    splitLine: { lineStyle: { color: token("--line") } },
    nameTextStyle: { color: token("--ink-3"), fontSize: 11 },
    ...more,
  };
}

export { token };
