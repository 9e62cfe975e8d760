/** Models: which version is where? */

import { TextInput } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { useAddress } from "../../shell/address";

type Model = Schemas["Model"];

export function Aliases({ model, of }: { model: string; of: Record<string, number> }) {
  return (
    <span className="row">
      {Object.entries(of).map(([alias, version]) => (
        <Link key={alias} to={`/models/${model}/${version}`} className="status by-hand">
          {alias} → v{version}
        </Link>
      ))}
    </span>
  );
}

const COLUMNS: Column<Model>[] = [
  { name: "name", title: "Name", value: (model) => model.name, cell: (model) => <Link to={`/models/${model.name}`}>{model.name}</Link> },
  { name: "versions", title: "Versions", right: true, value: (model) => model.versions },
  { name: "newest", title: "Newest", value: (model) => model.newest, cell: (model) => <Link to={`/models/${model.name}/${model.newest}`}>v{model.newest}</Link> },
  { name: "aliases", title: "Aliases", value: (model) => Object.keys(model.aliases).join(), cell: (model) => <Aliases model={model.name} of={model.aliases} /> },
  { name: "since", title: "Since", value: (model) => model.recorded_at, cell: (model) => <Time at={model.recorded_at} /> },
];

export function Models() {
  const [address, change] = useAddress<{ text: string }>();
  const navigate = useNavigate();
  const found = useVerb("models.list", null);
  const text = (address.text ?? "").toLowerCase();
  return (
    <Page name="Models" title="Models" about="Every model with its versions, and where its aliases stand." twin={path("models.list")}>
      <div className="row">
        <TextInput placeholder="Name" aria-label="Filter by name" data-search value={address.text ?? ""} onChange={(event) => change({ text: event.currentTarget.value })} w={240} />
      </div>
      <Card flush>
        <Shown of={found}>
          {(models) => {
            const shown = models.filter((model) => model.name.toLowerCase().includes(text));
            return shown.length === 0 ? (
              <Empty what={models.length ? "No model of that name." : "No model is registered yet."}>
                {!models.length && (
                  <>
                    <code>td.register(…)</code> in a pipeline, or <code>mlflow.register_model</code>
                  </>
                )}
              </Empty>
            ) : (
              <DataTable label="Models" rows={shown} columns={COLUMNS} id={(model) => model.name} onOpen={(model) => void navigate({ to: `/models/${model.name}` })} />
            );
          }}
        </Shown>
      </Card>
    </Page>
  );
}
