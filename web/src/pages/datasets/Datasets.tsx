/** Datasets: what data is there, is it good, how fresh? */

import { TextInput } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { bytes, figure, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";

type Summary = Schemas["treadle.systems.collect.service.DatasetSummary"];

export function Datasets() {
  const [address, change] = useAddress<{ text: string }>();
  const navigate = useNavigate();
  const found = useVerb("datasets.list", null);
  const incidents = useVerb("incidents.list", {}).data;
  const contracts = useVerb("contracts.list", null).data;
  const text = (address.text ?? "").toLowerCase();
  const columns = useMemo<Column<Summary>[]>(
    () => [
      { name: "name", title: "Name", value: (one) => one.name, cell: (one) => <Link to={`/datasets/${one.name}`}>{one.name}</Link> },
      { name: "version", title: "Snapshot", right: true, value: (one) => one.version, cell: (one) => `v${one.version}` },
      { name: "rows", title: "Rows", right: true, value: (one) => one.rows, cell: (one) => figure(one.rows) },
      { name: "columns", title: "Columns", right: true, value: (one) => one.columns },
      { name: "size", title: "Size", right: true, value: (one) => one.bytes, cell: (one) => bytes(one.bytes) },
      {
        name: "contract",
        title: "Contract",
        value: (one) => contracts?.find((contract) => contract.dataset === one.name)?.version,
        cell: (one) => {
          const contract = contracts?.find((each) => each.dataset === one.name);
          return contract ? <Link to={`/datasets/${one.name}?tab=contract`}>{contract.version}</Link> : <span className="dim">none</span>;
        },
      },
      {
        name: "incidents",
        title: "Incidents",
        value: (one) => incidents?.filter((incident) => incident.dataset === one.name).length,
        cell: (one) => {
          const open = incidents?.filter((incident) => incident.dataset === one.name) ?? [];
          const look = open.some((incident) => incident.severity === "error") ? "bad" : "waits";
          return open.length ? <Link className={`status ${look}`} to={`/datasets/${one.name}?tab=incidents`}>{plural(open.length, "incident")}</Link> : "";
        },
      },
      { name: "updated", title: "Landed", value: (one) => one.updated_at, cell: (one) => <Time at={one.updated_at} /> },
      { name: "description", title: "What it is", value: (one) => one.description },
    ],
    [contracts, incidents],
  );
  return (
    <Page name="Datasets" title="Datasets" about="Every dataset with its newest snapshot; each landing is one, and none is ever changed." twin={path("datasets.list")}>
      <div className="row">
        <TextInput placeholder="Name" aria-label="Filter by name" data-search value={address.text ?? ""} onChange={(event) => change({ text: event.currentTarget.value })} w={240} />
      </div>
      <Card flush>
        <Shown of={found}>
          {(datasets) => {
            const shown = datasets.filter((one) => `${one.name} ${one.description}`.toLowerCase().includes(text));
            return shown.length === 0 ? (
              <Empty what={datasets.length ? "No dataset of that name." : "Nothing has landed yet."}>
                {!datasets.length && <code>treadle datasets land NAME 'files*.csv'</code>}
              </Empty>
            ) : (
              <DataTable label="Datasets" rows={shown} columns={columns} id={(one) => one.name} onOpen={(one) => void navigate({ to: `/datasets/${one.name}` })} />
            );
          }}
        </Shown>
      </Card>
    </Page>
  );
}
