/** What predictions turned out to be worth, and what a thousand of them cost to make. */

import { Problem, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Figure, Figures } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { day, figure } from "../../parts/words";

type ValueFigure = Schemas["ValueFigure"];

const COLUMNS: Column<ValueFigure>[] = [
  { name: "name", title: "", value: (one) => (one.starts_at ? day(one.starts_at) : one.name) },
  { name: "predictions", title: "Predictions", right: true, value: (one) => one.predictions, cell: (one) => figure(one.predictions) },
  { name: "valued", title: "Of known worth", right: true, value: (one) => one.valued, cell: (one) => figure(one.valued) },
  { name: "total", title: "In all", right: true, value: (one) => one.total, cell: (one) => figure(one.total) },
  { name: "mean", title: "Each", right: true, value: (one) => one.mean, cell: (one) => `${figure(one.mean)}${one.interval ? ` (${figure(one.interval[0])} to ${figure(one.interval[1])})` : ""}` },
];

export function Value({ endpoint }: { endpoint: string }) {
  const found = useVerb("value.show", { endpoint });
  if (found.error instanceof Problem && found.error.status === 404) {
    return (
      <Card>
        <Empty what="Nobody has said what a prediction is worth.">
          <code>treadle value declare {endpoint}</code> takes a matrix, an expression, or a dataset of outcomes.
        </Empty>
      </Card>
    );
  }
  return (
    <Shown of={found}>
      {(report) => (
        <div className="stack">
          <Card title="In all" aside={report.rule.unit}>
            <Figures>
              <Figure value={figure(report.overall.total)} label={report.rule.unit || "in all"} />
              <Figure value={figure(report.overall.mean)} label="each prediction" />
              <Figure value={figure(report.overall.valued)} label="of known worth" />
              {report.costs.slice(0, 1).map((cost) => (
                <Figure key={cost.name} value={`${figure(cost.model_s_per_thousand)} s`} label="of the model, a thousand predictions" />
              ))}
            </Figures>
          </Card>
          <div className="grid">
            <Card flush title="By revision">
              <DataTable label="Value by revision" rows={report.revisions} columns={COLUMNS} id={(one) => one.name} />
            </Card>
            <Card flush title="Week by week">
              <DataTable label="Value by week" rows={report.windows} columns={COLUMNS} id={(one) => one.starts_at ?? one.name} />
            </Card>
          </div>
        </div>
      )}
    </Shown>
  );
}
