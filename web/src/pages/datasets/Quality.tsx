/** Quality over time: how many rows kept the contract, and how large landings were beside what was expected. */

import { useComputedColorScheme } from "@mantine/core";
import { useMemo } from "react";
import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import Chart, { axis, token } from "../../parts/Chart";
import { Card } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure, moment, percent } from "../../parts/words";

const NEWEST = 60;

export default function Quality({ name }: { name: string }) {
  return (
    <div className="stack">
      <Reports name={name} />
      <Landings name={name} />
    </div>
  );
}

function Reports({ name }: { name: string }) {
  const found = useVerb("contracts.reports", { dataset: name });
  const scheme = useComputedColorScheme("light");
  const option = useMemo(() => {
    const reports = [...(found.data ?? [])].reverse();
    const share = (report: Schemas["QualityReport"]) => (report.rows ? 1 - report.refused / report.rows : 1);
    return {
      grid: { left: 66, right: 16, top: 14, bottom: 28 },
      xAxis: { type: "category", data: reports.map((report) => moment(report.recorded_at).slice(0, 16)), ...axis() },
      yAxis: { type: "value", scale: true, max: 1, ...axis({ axisLabel: { formatter: (value: number) => percent(value, 3), color: token("--ink-3"), fontSize: 11 } }) },
      tooltip: { trigger: "axis", valueFormatter: (value: number) => percent(value, 3) },
      series: [{ name: "rows that were let in", type: "line", step: "middle", data: reports.map(share), color: token("--series-3"), symbolSize: 6 }],
    };
  }, [found.data, scheme]);
  return (
    <Card title="By its contract" aside="share of rows that were let in, report by report">
      <Shown of={found}>
        {(reports) => (reports.length === 0 ? <Empty what="No report yet.">A contract judges every landing.</Empty> : <Chart option={option} label="Share of rows let in, report by report" height={200} />)}
      </Shown>
    </Card>
  );
}

function Landings({ name }: { name: string }) {
  const found = useVerb("anomalies.history", { dataset: name, limit: NEWEST });
  const scheme = useComputedColorScheme("light");
  const option = useMemo(() => {
    const landings = [...(found.data?.landings ?? [])].sort((a, b) => a.landed_at.localeCompare(b.landed_at));
    const band = { type: "line", stack: "band", symbol: "none", lineStyle: { opacity: 0 }, tooltip: { show: false }, silent: true };
    return {
      grid: { left: 64, right: 16, top: 14, bottom: 28 },
      xAxis: { type: "category", data: landings.map((one) => moment(one.landed_at).slice(0, 16)), ...axis() },
      yAxis: { type: "value", ...axis() },
      series: [
        { ...band, name: "low", data: landings.map((one) => one.volume?.low ?? null) },
        { ...band, name: "expected", data: landings.map((one) => (one.volume ? one.volume.high - one.volume.low : null)), areaStyle: { color: token("--series-1"), opacity: 0.14 } },
        {
          name: "rows",
          type: "line",
          color: token("--series-1"),
          symbolSize: 7,
          data: landings.map((one) => ({ value: one.rows, itemStyle: one.anomalies.length ? { color: token("--red") } : undefined })),
        },
      ],
    };
  }, [found.data, scheme]);
  return (
    <Card title="Landings" aside="rows of each, with what was expected; red where something was odd">
      <Shown of={found}>
        {({ landings, warm_up, is_on }) =>
          landings.length === 0 ? (
            <Empty what="Nothing landed yet." />
          ) : (
            <div className="stack">
              <Chart option={option} label="Rows of each landing with what was expected" height={220} />
              {!is_on && <span className="dim">It is not watched: its contract says so.</span>}
              {landings.every((one) => one.warming) && <span className="dim">It is learning what is usual: {figure(warm_up)} landings first.</span>}
              <ul className="plain stack tight">
                {landings
                  .filter((one) => one.anomalies.length > 0)
                  .slice(0, 12)
                  .map((one) => (
                    <li key={one.landing}>
                      <Time at={one.landed_at} />{" "}
                      {one.anomalies.map((anomaly, at) => (
                        <span key={at}>
                          <Status of={anomaly.kind} look="waits" /> {anomaly.seen}; expected {anomaly.expected}{" "}
                        </span>
                      ))}
                    </li>
                  ))}
              </ul>
            </div>
          )
        }
      </Shown>
    </Card>
  );
}
