/** One feature view: its features with what their newest values look like, who uses them, and the acts on it. */

import { Link } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure, percent } from "../../parts/words";
import { useParam } from "../../shell/address";

type Entry = Schemas["FeatureEntry"];

export function FeatureView() {
  const view = useParam("view");
  const found = useVerb("catalogue.page", { view });
  const materialize = useAct("features.materialize", () => "The online store is up to date.");
  return (
    <Page
      name={view}
      title={view}
      crumbs={[{ to: "/features", label: "Features" }]}
      twin={`${path("catalogue.page")}?view=${encodeURIComponent(view)}`}
      actions={
        <Ask label="Materialize" title={`Bring ${view} online?`} permission="feature.write" onDo={() => materialize.mutateAsync({ name: view })}>
          What is new since it was last brought is written to the online store.
        </Ask>
      }
    >
      <Shown of={found} rows={10}>
        {({ features, profiles }) => {
          const first = features[0];
          if (first === undefined) return <Empty what="It has no features." />;
          return (
            <>
              <Card>
                <Facts
                  of={[
                    ["From", first.dataset && <Link key="d" to={`/datasets/${first.dataset}`}>{first.dataset}</Link>],
                    ["Landed", <Time key="l" at={first.landed_at} />],
                    ["Online until", first.online_until ? <Time key="o" at={first.online_until} /> : "not online"],
                    ["Owner", first.owner],
                    ["Services", first.services.join(", ")],
                    ["Models", first.models.map((model) => <Link key={model} to={`/models/${model}`}>{model} </Link>)],
                    ["Endpoints", first.endpoints.map((endpoint) => <Link key={endpoint} to={`/endpoints/${endpoint}`}>{endpoint} </Link>)],
                    ["Training sets", first.training_sets.length || null],
                  ]}
                />
              </Card>
              <Card flush title="Features" aside="with their newest values">
                <DataTable label="Features of the view" rows={features} columns={columns(profiles)} id={(one) => one.feature} />
              </Card>
            </>
          );
        }}
      </Shown>
    </Page>
  );
}

function columns(profiles: Record<string, Schemas["FeatureProfile"]>): Column<Entry>[] {
  const of = (one: Entry) => profiles[one.feature];
  const text = (value: unknown) => (typeof value === "number" ? figure(value) : value === null || value === undefined ? "" : String(value));
  return [
    { name: "feature", title: "Feature", value: (one) => one.feature },
    { name: "description", title: "What it is", value: (one) => one.description, cell: (one) => <span title={one.description}>{one.description}</span> },
    { name: "made", title: "Made", value: (one) => one.made },
    { name: "unit", title: "Unit", value: (one) => one.unit },
    { name: "least", title: "Least", right: true, value: (one) => text(of(one)?.least) },
    { name: "mean", title: "Mean", right: true, value: (one) => of(one)?.mean, cell: (one) => figure(of(one)?.mean) },
    { name: "greatest", title: "Greatest", right: true, value: (one) => text(of(one)?.greatest) },
    {
      name: "nulls",
      title: "Nulls",
      right: true,
      value: (one) => of(one)?.nulls,
      cell: (one) => {
        const profile = of(one);
        return profile && profile.entities ? percent(profile.nulls / profile.entities) : "";
      },
    },
    {
      name: "importance",
      title: "Matters to",
      value: (one) => Object.keys(one.importance).join(),
      cell: (one) =>
        Object.entries(one.importance)
          .map(([model, share]) => `${model} ${percent(share)}`)
          .join(", "),
    },
  ];
}
