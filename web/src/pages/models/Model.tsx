/** One model: its versions, who moved which alias when and why, and what was decided about challengers. */

import { TextInput } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { bytes, figure, moment } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Aliases } from "./Models";

type ModelVersion = Schemas["ModelVersion"];

export function Model() {
  const name = useParam("model");
  const look = useVerb("models.look", { model: name });
  return (
    <Page
      name={name}
      title={name}
      about={look.data?.model.description ?? undefined}
      crumbs={[{ to: "/models", label: "Models" }]}
      twin={`${path("models.look")}?model=${encodeURIComponent(name)}`}
      actions={look.data && <Aliases model={name} of={look.data.aliases} />}
    >
      <Versions model={name} aliases={look.data?.aliases ?? {}} />
      <Moves model={name} />
    </Page>
  );
}

function Versions({ model, aliases }: { model: string; aliases: Record<string, number> }) {
  const found = useVerb("models.versions", { model });
  const navigate = useNavigate();
  const metrics = useMemo(() => {
    const counts = new Map<string, number>();
    for (const version of found.data ?? []) for (const name of Object.keys(version.metrics)) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, 6).map(([name]) => name);
  }, [found.data]);
  const columns = useMemo<Column<ModelVersion>[]>(
    () => [
      { name: "number", title: "Version", value: (one) => one.number, cell: (one) => <Link to={`/models/${model}/${one.number}`}>v{one.number}</Link> },
      {
        name: "aliases",
        title: "",
        value: () => null,
        cell: (one) =>
          Object.entries(aliases)
            .filter(([, number]) => number === one.number)
            .map(([alias]) => <Status key={alias} of={alias} look="by-hand" />),
      },
      { name: "registered", title: "Registered", value: (one) => one.recorded_at, cell: (one) => <Time at={one.recorded_at} /> },
      ...metrics.map((metric): Column<ModelVersion> => ({
        name: metric,
        right: true,
        value: (one) => one.metrics[metric],
        cell: (one) => figure(one.metrics[metric]),
      })),
      { name: "size", title: "Size", right: true, value: (one) => one.size_bytes, cell: (one) => bytes(one.size_bytes) },
      { name: "by", title: "By", value: (one) => one.actor },
      { name: "run", title: "Run", value: (one) => one.run, cell: (one) => one.run && <Link to={`/runs/${one.run}`}>its run</Link> },
    ],
    [aliases, metrics, model],
  );
  return (
    <Card flush title="Versions">
      <Shown of={found}>
        {(versions) =>
          versions.length === 0 ? (
            <Empty what="No version yet." />
          ) : (
            <DataTable label="Versions" rows={versions} columns={columns} id={(one) => String(one.number)} height={420} onOpen={(one) => void navigate({ to: `/models/${model}/${one.number}` })} />
          )
        }
      </Shown>
    </Card>
  );
}

function Moves({ model }: { model: string }) {
  const [address, change] = useAddress<{ on: string }>();
  const at = address.on ? new Date(`${address.on}T23:59:59`).toISOString() : null;
  const found = useVerb("models.history", { model, at });
  return (
    <Card
      title="Who moved what, when, and why"
      aside={
        <label className="row">
          As of{" "}
          <TextInput type="date" aria-label="As of a day" value={address.on ?? ""} onChange={(event) => change({ on: event.currentTarget.value || undefined })} />
        </label>
      }
    >
      <Shown of={found}>
        {(history) => (
          <div className="stack">
            {address.on && (
              <div className="row">
                On that day: <Aliases model={model} of={history.aliases} />
                {Object.keys(history.aliases).length === 0 && <span className="dim">no alias stood anywhere</span>}
              </div>
            )}
            {history.moves.length === 0 ? (
              <Empty what="Nothing was moved." />
            ) : (
              <ol className="plain stack tight">
                {[...history.moves].reverse().map((move, place) => (
                  <li key={place}>
                    <Status of={move.name} look="by-hand" /> {move.previous === null ? "" : `v${move.previous} `}→{" "}
                    {move.version === null ? "taken away" : <Link to={`/models/${model}/${move.version}`}>v{move.version}</Link>}{" "}
                    <span className="dim">
                      <time dateTime={move.recorded_at}>{moment(move.recorded_at)}</time> by {move.actor}
                    </span>
                    {move.reason && <div className="dim">{move.reason}</div>}
                  </li>
                ))}
              </ol>
            )}
          </div>
        )}
      </Shown>
    </Card>
  );
}
