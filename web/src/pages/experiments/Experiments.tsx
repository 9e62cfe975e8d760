/** Experiments: what was tried? */

import { SegmentedControl, TextInput } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure } from "../../parts/words";
import { useAddress } from "../../shell/address";

type Experiment = Schemas["ExperimentPage"]["items"][number];

function Count({ experiment }: { experiment: number }) {
  const found = useVerb("searches.count", { experiments: [String(experiment)] });
  return <>{found.data ? figure(found.data.total) : ""}</>;
}

export function Experiments() {
  const [address, change] = useAddress<{ text: string; view: string }>();
  const navigate = useNavigate();
  const view = address.view === "deleted" ? "deleted" : "active";
  const found = useVerb("searches.experiments", { limit: 1000, view });
  const create = useAct("experiments.create", (made) => `${made.name} is there.`);
  const rename = useAct("experiments.rename", (made) => `It is called ${made.name} now.`);
  const remove = useAct("experiments.delete", () => "Deleted; it can be restored.");
  const restore = useAct("experiments.restore", () => "It is there again.");
  const [name, write] = useState("");
  const columns: Column<Experiment>[] = [
    { name: "name", title: "Name", value: (one) => one.name, cell: (one) => <Link to={`/experiments/${one.number}`}>{one.name}</Link> },
    { name: "runs", title: "Runs", right: true, value: () => null, cell: (one) => <Count experiment={one.number} /> },
    { name: "changed", title: "Changed", value: (one) => one.updated_ms, cell: (one) => <Time at={one.updated_ms} /> },
    { name: "created", title: "Made", value: (one) => one.created_ms, cell: (one) => <Time at={one.created_ms} /> },
    { name: "tags", title: "Tags", value: (one) => one.tags.map((tag) => `${tag.key}=${tag.value}`).join(" ") },
    {
      name: "acts",
      title: "",
      value: () => null,
      cell: (one) =>
        view === "deleted" ? (
          <Ask label="Restore" title={`Restore ${one.name}?`} permission="experiment.delete" variant="subtle" onDo={() => restore.mutateAsync({ experiment: String(one.number) })} />
        ) : one.number === 0 ? null : (
          <span className="row" style={{ gap: 2, flexWrap: "nowrap" }}>
            <Ask label="Rename" title={`Rename ${one.name}`} permission="experiment.write" variant="subtle" onDo={() => rename.mutateAsync({ experiment: String(one.number), name })}>
              <TextInput label="New name" defaultValue={one.name} onChange={(event) => write(event.currentTarget.value)} required />
            </Ask>
            <Ask label="Delete" title={`Delete ${one.name}?`} permission="experiment.delete" danger variant="subtle" onDo={() => remove.mutateAsync({ experiment: String(one.number) })}>
              Its runs go with it, until it is restored.
            </Ask>
          </span>
        ),
    },
  ];
  const text = (address.text ?? "").toLowerCase();
  return (
    <Page
      name="Experiments"
      title="Experiments"
      about="What was tried: groups of runs that training scripts log, through MLflow's client or Treadle's."
      twin={path("searches.experiments")}
      actions={
        <Ask label="New experiment" title="New experiment" permission="experiment.write" confirm="Make it" onDo={() => create.mutateAsync({ name })}>
          <TextInput label="Name" onChange={(event) => write(event.currentTarget.value)} required data-autofocus />
        </Ask>
      }
    >
      <div className="row">
        <TextInput placeholder="Name" aria-label="Filter by name" data-search value={address.text ?? ""} onChange={(event) => change({ text: event.currentTarget.value })} w={240} />
        <SegmentedControl
          data={[
            { value: "active", label: "Active" },
            { value: "deleted", label: "Deleted" },
          ]}
          value={view}
          onChange={(value) => change({ view: value === "active" ? undefined : value })}
          aria-label="Which experiments"
        />
      </div>
      <Card flush>
        <Shown of={found}>
          {({ items }) => {
            const shown = items.filter((one) => one.name.toLowerCase().includes(text));
            return shown.length === 0 ? (
              <Empty what={items.length ? "No experiment of that name." : "Nothing was tried yet."}>
                <code>mlflow.set_tracking_uri("{window.location.origin}")</code> is all that a script needs.
              </Empty>
            ) : (
              <DataTable label="Experiments" rows={shown} columns={columns} id={(one) => String(one.number)} onOpen={(one) => void navigate({ to: `/experiments/${one.number}` })} />
            );
          }}
        </Shown>
      </Card>
    </Page>
  );
}
