/** Runs side by side: what differs in parameters, metrics, code, data and environment. */

import { Switch } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { verbQuery } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/State";
import { figure } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { differences, type Tracked } from "./tracked";
import "./compare.css";

const MOST = 20;

const PARTS: { title: string; of: (run: Tracked) => [string, string][] }[] = [
  { title: "Parameters", of: (run) => run.params.map((pair) => [pair.key, pair.value]) },
  { title: "Metrics", of: (run) => run.metrics.map((point) => [point.key, figure(point.value)]) },
  { title: "Data", of: (run) => run.datasets.map((one) => [one.name, one.digest]) },
  {
    title: "Code and environment",
    of: (run) => run.tags.filter((tag) => /^mlflow\.(source|project|docker|databricks)|python|environment/i.test(tag.key)).map((tag) => [tag.key.replace("mlflow.", ""), tag.value]),
  },
  { title: "Tags", of: (run) => run.tags.filter((tag) => !tag.key.startsWith("mlflow.")).map((tag) => [tag.key, tag.value]) },
];

export function Compare() {
  const [address, change] = useAddress<{ runs: string[]; all: boolean }>();
  const ids = useMemo(() => (address.runs ?? []).slice(0, MOST), [address.runs]);
  const found = useQueries({ queries: ids.map((run) => verbQuery("tracking.get", { run })) });
  const runs = found.map((one) => one.data).filter((run): run is Tracked => run !== undefined);
  const failed = found.find((one) => one.isError);
  return (
    <Page
      name="Compare"
      title="Runs side by side"
      crumbs={[{ to: "/experiments", label: "Experiments" }]}
      actions={<Switch label="Also what is the same" checked={address.all === true} onChange={(event) => change({ all: event.currentTarget.checked || undefined })} />}
    >
      {failed?.error && <Failed error={failed.error} />}
      {ids.length < 2 ? (
        <Empty what="Choose at least two runs.">In the table of an experiment.</Empty>
      ) : runs.length < ids.length && !failed ? (
        <Loading rows={10} />
      ) : (
        PARTS.map((part) => <Part key={part.title} title={part.title} of={part.of} runs={runs} all={address.all === true} />)
      )}
    </Page>
  );
}

function Part({ title, of, runs, all }: { title: string; of: (run: Tracked) => [string, string][]; runs: Tracked[]; all: boolean }) {
  const found = useMemo(() => differences(runs.map((run) => new Map(of(run)))), [runs, of]);
  const shown = all ? found : found.filter((one) => one.differs);
  if (found.length === 0) return null;
  return (
    <Card flush title={title} aside={`${found.filter((one) => one.differs).length} of ${found.length} differ`}>
      {shown.length === 0 ? (
        <Empty what="They are the same." />
      ) : (
        <div className="table compare" tabIndex={0} role="region" aria-label={title}>
          <table>
            <thead>
              <tr>
                <th scope="col">
                  <span className="unseen">Name</span>
                </th>
                {runs.map((run) => (
                  <th key={run.run} scope="col">
                    <Link to={`/experiments/${run.experiment}/runs/${run.run}`}>{run.name}</Link>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <tr key={one.name} className={one.differs ? "differs" : undefined}>
                  <th scope="row">{one.name}</th>
                  {one.values.map((value, at) => (
                    <td key={at} title={value ?? ""}>
                      {value ?? <span className="dim">–</span>}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
