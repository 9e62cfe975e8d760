/** One endpoint: who answers, what is tried beside it, what it said of late; and the acts on it. */

import { Link } from "@tanstack/react-router";
import { Suspense, lazy } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Status, Time } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { figure, moment } from "../../parts/words";
import { useParam } from "../../shell/address";
import { Canary } from "./Canary";
import { Deploy, Shadow } from "./Deploying";
import { Split } from "./Split";
import { Try } from "./Try";

const Traffic = lazy(() => import("./Traffic"));

type Sheet = Schemas["EndpointSheet"];
type Line = Schemas["PredictionLine"];
type Revision = Schemas["Revision"];

export function Endpoint() {
  const name = useParam("endpoint");
  const found = useVerb("endpoints.get", { endpoint: name });
  return (
    <Page
      name={name}
      title={
        <span className="row">
          {name}
          {found.data && <Status of={found.data.endpoint.route.is_drained ? "drained" : "serves"} look={found.data.endpoint.route.is_drained ? "by-hand" : "good"} />}
        </span>
      }
      crumbs={[{ to: "/endpoints", label: "Endpoints" }]}
      twin={`${path("endpoints.get")}?endpoint=${encodeURIComponent(name)}`}
      actions={found.data && <Acts sheet={found.data} />}
    >
      <Shown of={found} rows={10}>
        {(sheet) => (
          <>
            <div className="grid">
              <Split sheet={sheet} />
              <Now sheet={sheet} />
            </div>
            <Canary endpoint={name} />
            <Suspense fallback={<Loading rows={5} />}>
              <Traffic endpoint={name} />
            </Suspense>
            <Predictions endpoint={name} />
            <div className="grid">
              <Revisions sheet={sheet} />
              <Routes sheet={sheet} />
            </div>
          </>
        )}
      </Shown>
    </Page>
  );
}

function Acts({ sheet }: { sheet: Sheet }) {
  const { endpoint, routes } = sheet;
  const rollback = useAct("endpoints.rollback", (now) => `Back to what route ${now.route.restores ?? "before"} said.`);
  const drain = useAct("endpoints.drain", () => "It takes nothing new; what is under way is answered.");
  const before = routes.find((route) => route.number < endpoint.route.number);
  return (
    <>
      <Try endpoint={endpoint.name} />
      <Deploy endpoint={endpoint.name} />
      <Shadow endpoint={endpoint.name} />
      <Ask
        label="Roll back"
        title="Go back to what it served before?"
        permission="endpoint.write"
        danger
        reason
        disabled={before === undefined}
        onDo={(reason) => rollback.mutateAsync({ endpoint: endpoint.name, reason })}
      >
        Within a second all new requests go where they went before this route; those under way end where they are.
      </Ask>
      {!endpoint.route.is_drained && (
        <Ask label="Drain" title={`Stop ${endpoint.name}?`} permission="endpoint.write" danger variant="subtle" reason onDo={(reason) => drain.mutateAsync({ endpoint: endpoint.name, reason })}>
          New requests are refused with 503 until something is deployed or rolled back.
        </Ask>
      )}
    </>
  );
}

function Now({ sheet }: { sheet: Sheet }) {
  const { route } = sheet.endpoint;
  const leading = Object.entries(route.weights).sort((a, b) => b[1] - a[1])[0]?.[0];
  const revision = sheet.revisions.find((one) => String(one.number) === leading);
  return (
    <Card title="Now">
      <Facts
        of={[
          ["Version", revision && <Link key="m" to={`/models/${revision.model}/${revision.model_version}`}>{`${revision.model} v${revision.model_version}`}</Link>],
          ["Engine", revision?.engine],
          ["Threads", revision?.threads],
          ["Route", `${route.number}, by ${route.actor}`],
          ["Since", <Time key="t" at={route.recorded_at} />],
          ["Why", route.reason],
          ["Limits", Object.entries(route.limits).filter(([, value]) => value !== null).map(([name, value]) => `${name} ${String(value)}`).join(", ")],
          ["Watched", <Link key="w" to={`/monitoring/${sheet.endpoint.name}`}>its monitor</Link>],
        ]}
      />
    </Card>
  );
}

const PREDICTIONS: Column<Line>[] = [
  { name: "recorded", title: "When", value: (one) => one.recorded_at, cell: (one) => <Time at={one.recorded_at} /> },
  { name: "prediction", title: "Prediction", value: (one) => one.prediction_id, cell: (one) => <Link className="id" to={`/predictions/${one.prediction_id}`}>{one.prediction_id}</Link> },
  { name: "entity", title: "Of", value: (one) => one.entity },
  { name: "for", title: "For", value: (one) => one.event_at, cell: (one) => moment(one.event_at) },
  { name: "output", title: "Said", right: true, value: (one) => one.output, cell: (one) => figure(one.output) },
  { name: "version", title: "Version", value: (one) => one.model_version, cell: (one) => <Link to={`/models/${one.model}/${one.model_version}`}>v{one.model_version}</Link> },
];

function Predictions({ endpoint }: { endpoint: string }) {
  const found = useVerb("predictions.list", { endpoint, limit: 20 });
  return (
    <Card flush title="Newest predictions" aside={<Link to="/predictions" search={{ endpoint } as never}>All</Link>}>
      <Shown of={found}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty what="Nobody has asked yet.">
              <code>treadle endpoints try {endpoint}</code>
            </Empty>
          ) : (
            <DataTable label="Newest predictions" rows={items} columns={PREDICTIONS} id={(one) => one.prediction_id} height={320} />
          )
        }
      </Shown>
    </Card>
  );
}

const REVISIONS: Column<Revision>[] = [
  { name: "number", title: "Revision", value: (one) => one.number },
  { name: "model", title: "Version", value: (one) => one.model_version, cell: (one) => <Link to={`/models/${one.model}/${one.model_version}`}>{`${one.model} v${one.model_version}`}</Link> },
  { name: "engine", title: "Engine", value: (one) => one.engine },
  { name: "made", title: "Made", value: (one) => one.recorded_at, cell: (one) => <Time at={one.recorded_at} /> },
  { name: "digest", title: "Model", value: (one) => one.model_digest, cell: (one) => <Id of={one.model_digest} short={18} /> },
];

function Revisions({ sheet }: { sheet: Sheet }) {
  const newest = [...sheet.revisions].sort((a, b) => b.number - a.number);
  return (
    <Card flush title="Revisions">
      <DataTable label="Revisions" rows={newest} columns={REVISIONS} id={(one) => one.id} height={300} />
    </Card>
  );
}

function Routes({ sheet }: { sheet: Sheet }) {
  const newest = [...sheet.routes].sort((a, b) => b.number - a.number);
  return (
    <Card title="How it was routed">
      <ol className="plain stack tight" style={{ maxHeight: 280, overflow: "auto" }} tabIndex={0} aria-label="Routes">
        {newest.map((route) => (
          <li key={route.number}>
            <Status of={route.kind} look={route.kind === "rollback" ? "bad" : ""} />{" "}
            {Object.entries(route.weights)
              .map(([revision, weight]) => `revision ${revision}: ${Math.round(weight * 100)}%`)
              .join(", ") || "nothing"}{" "}
            <span className="dim">
              <Time at={route.recorded_at} /> by {route.actor}
              {route.reason ? `: ${route.reason}` : ""}
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
