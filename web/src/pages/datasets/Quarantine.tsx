/** Rows that were refused: why, and what becomes of them: let in as they are, mended, or given up. */

import { Checkbox, Drawer, SegmentedControl, TextInput } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Facts, Json, Status } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure, moment, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { Mend } from "./Mend";

type Row = Schemas["QuarantinedRow"];

const LIMIT = 500;
const LOOKS = { held: "waits", released: "good", mended: "good", cleaned: "good", discarded: "by-hand" } as const;

export function Quarantine({ name }: { name: string }) {
  const [address, change] = useAddress<{ state: string; rule: string; row: string }>();
  const state = address.state ?? "held";
  const found = useVerb("quarantine.list", { dataset: name, state, rule: address.rule ?? null, limit: LIMIT });
  const [chosen, choose] = useState<string[]>([]);
  const release = useAct("quarantine.release", (done) => `${plural(done.n_released, "row")} let in, ${plural(done.n_still_held, "row")} still held.`);
  const discard = useAct("quarantine.discard", () => "Given up; they stay in the quarantine's own dataset.");
  const columns = useMemo<Column<Row>[]>(
    () => [
      {
        name: "chosen",
        title: "",
        value: () => null,
        cell: (row) => (
          <Checkbox size="xs" checked={chosen.includes(row.id)} aria-label={`Choose ${row.id}`} onChange={(event) => choose(event.currentTarget.checked ? [...chosen, row.id] : chosen.filter((id) => id !== row.id))} />
        ),
      },
      { name: "state", title: "", value: (row) => row.state, cell: (row) => <Status of={row.state} look={LOOKS[row.state]} /> },
      { name: "rules", title: "Broke", value: (row) => row.rules.join(", ") },
      { name: "values", title: "Row", value: (row) => gist(row), cell: (row) => <span className="id">{gist(row)}</span> },
      { name: "reason", title: "Decided", value: (row) => row.reason },
    ],
    [chosen],
  );
  const held = chosen.length > 0 && state === "held";
  return (
    <div className="stack">
      <div className="row">
        <SegmentedControl
          data={["held", "released", "mended", "discarded"].map((value) => ({ value, label: `${value} ${count(found.data, value)}` }))}
          value={state}
          onChange={(value) => {
            choose([]);
            change({ state: value === "held" ? undefined : value });
          }}
          aria-label="State of rows"
        />
        {Object.entries(found.data?.by_rule ?? {}).map(([rule, rows]) => (
          <button key={rule} type="button" className={`status ${address.rule === rule ? "works" : ""}`} style={{ border: 0, cursor: "pointer" }} onClick={() => change({ rule: address.rule === rule ? undefined : rule })}>
            {rule} {figure(rows)}
          </button>
        ))}
      </div>
      {held && (
        <div className="row">
          <b>{plural(chosen.length, "row")}</b>
          <Mend dataset={name} rows={chosen} onDone={() => choose([])} />
          <Ask label="Let in" title={`Let ${plural(chosen.length, "row")} in?`} permission="quarantine.write" reason="required" onDo={(reason) => release.mutateAsync({ dataset: name, rows: chosen, reason }).then(() => choose([]))}>
            Those that pass the same rules by now are landed in {name}; the others stay held.
          </Ask>
          <Ask label="Give up" title={`Give ${plural(chosen.length, "row")} up?`} permission="quarantine.write" danger reason="required" onDo={(reason) => discard.mutateAsync({ dataset: name, rows: chosen, reason }).then(() => choose([]))} />
        </div>
      )}
      <Card flush>
        <Shown of={found}>
          {({ rows }) =>
            rows.length === 0 ? (
              <Empty what={state === "held" ? "Nothing is held." : "No row of this kind."}>Rows that break a contract are refused at landing, one by one.</Empty>
            ) : (
              <DataTable label="Refused rows" rows={rows} columns={columns} id={(row) => row.id} onOpen={(row) => change({ row: row.id })} selected={(row) => row.id === address.row} />
            )
          }
        </Shown>
      </Card>
      <Drawer opened={address.row !== undefined} onClose={() => change({ row: undefined })} position="right" title="A refused row" closeButtonProps={{ "aria-label": "Close" }}>
        {address.row && <Sheet dataset={name} row={address.row} />}
      </Drawer>
    </div>
  );
}

function count(quarantine: Schemas["Quarantine"] | undefined, state: string): string {
  const counted = quarantine as Record<string, unknown> | undefined;
  return counted ? figure(Number(counted[state] ?? 0)) : "";
}

function gist(row: Row): string {
  return Object.entries(row.values)
    .filter(([name, value]) => !name.startsWith("_") && value !== null)
    .slice(0, 6)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");
}

function Sheet({ dataset, row }: { dataset: string; row: string }) {
  const found = useVerb("quarantine.show", { dataset, row });
  return (
    <Shown of={found}>
      {(sheet) => (
        <div className="stack">
          {sheet.rules.map((rule) => (
            <div key={rule.id} className="failed">
              <strong>{rule.text}</strong>
              <span className="dim">
                {rule.id}, {rule.severity}
              </span>
            </div>
          ))}
          <Facts
            of={[
              ["Refused", sheet.refused_at && moment(sheet.refused_at)],
              ["By contract", sheet.contract_version],
              ["Decided", sheet.decided_at && moment(sheet.decided_at)],
              ["Why", sheet.row.reason],
              ["By", sheet.row.actor],
            ]}
          />
          <Json of={sheet.row.values} />
          {sheet.row.raw && <TextInput label="As it came" value={sheet.row.raw} readOnly />}
        </div>
      )}
    </Shown>
  );
}
