/** Lineage: where does it come from, what came of it? */

import { NumberInput, SegmentedControl, Switch, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, useEffect, useMemo, useState } from "react";
import { path } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Json } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { openedFor, pageOf, shownOf, type Thing } from "./growing";
import "./chain.css";

const GraphView = lazy(() => import("./GraphView"));

interface Address extends Record<string, unknown> {
  of: string;
  way: string;
  depth: string;
  at: string;
  text: string;
  rows: boolean;
}

const ROWS = 8;

export function Lineage() {
  const [address, change] = useAddress<Address>();
  const way = address.way === "down" ? "down" : "up";
  const id = address.of ?? "";
  const up = useVerb("provenance.why", { id, rows: address.rows ? ROWS : 0 }, { enabled: id !== "" && way === "up" });
  const down = useVerb("provenance.impact", { id }, { enabled: id !== "" && way === "down" });
  const found = way === "up" ? up : down;
  return (
    <Page
      name="Lineage"
      title="Lineage"
      about="From anything, up to what it was made from, and down to what was made from it."
      twin={address.of ? `${path(way === "up" ? "provenance.why" : "provenance.impact")}?id=${encodeURIComponent(address.of)}` : undefined}
    >
      <div className="row">
        <TextInput
          aria-label="What it is about"
          placeholder="pred_…, run_…, model/NAME/3, dataset/NAME"
          data-search
          key={address.of}
          defaultValue={address.of ?? ""}
          onKeyDown={(event) => event.key === "Enter" && change({ of: event.currentTarget.value.trim(), at: undefined }, true)}
          w={340}
        />
        <SegmentedControl
          data={[
            { value: "up", label: "Made from" },
            { value: "down", label: "Made of it" },
          ]}
          value={way}
          onChange={(value) => change({ way: value === "up" ? undefined : value, at: undefined })}
          aria-label="Direction"
        />
        <NumberInput aria-label="How deep" value={Number(address.depth ?? 4)} min={1} max={30} w={80} onChange={(value) => change({ depth: String(value || "") || undefined })} />
        {id.startsWith("pred_") && way === "up" && (
          <Switch label="Raw rows" checked={address.rows === true} onChange={(event) => change({ rows: event.currentTarget.checked || undefined })} />
        )}
        <TextInput aria-label="Find in the graph" placeholder="Find in the graph" value={address.text ?? ""} onChange={(event) => change({ text: event.currentTarget.value })} w={180} />
      </div>
      {address.of ? (
        <Shown of={found} rows={12}>
          {(root) => <Walk root={root} />}
        </Shown>
      ) : (
        <Card>
          <Begin />
        </Card>
      )}
    </Page>
  );
}

function Walk({ root }: { root: Thing }) {
  const [address, change] = useAddress<Address>();
  const [opened, open] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => open(new Set()), [root.id]);
  const text = address.text ?? "";
  const graph = useMemo(
    () => shownOf(root, Number(address.depth ?? 4), new Set([...opened, ...openedFor(root, text)])),
    [root, address.depth, opened, text],
  );
  const chosen = graph.nodes.find((node) => node.key === address.at)?.thing;
  return (
    <div className={chosen ? "grid two" : "stack"}>
      <Card flush title={plural(graph.nodes.length, "thing")} aside="a click shows one; + opens what is folded below it">
        <div className="lineage">
          <Suspense fallback={<Loading rows={10} />}>
            <GraphView
              graph={graph}
              selected={address.at}
              text={text}
              onSelect={(key) => change({ at: key })}
              onOpen={(key) => open(new Set([...opened, key]))}
            />
          </Suspense>
        </div>
      </Card>
      {chosen && <Sheet of={chosen} onBegin={() => change({ of: chosen.id, at: undefined }, true)} />}
    </div>
  );
}

function Sheet({ of, onBegin }: { of: Thing; onBegin: () => void }) {
  const to = pageOf(of);
  const plain = Object.entries(of.facts).filter(([, value]) => typeof value !== "object");
  const rest = Object.entries(of.facts).filter(([, value]) => typeof value === "object" && value !== null);
  return (
    <Card title={of.title} aside={of.kind}>
      <div className="stack">
        <Facts of={[...plain.map(([name, value]): [string, string] => [name, String(value)]), ["Id", of.id ? <Id key="i" of={of.id} /> : null]]} />
        {rest.length > 0 && <Json of={Object.fromEntries(rest)} />}
        {of.note && <span className="dim">{of.note}</span>}
        <div className="row">
          {to && <Link to={to}>Its page</Link>}
          {of.id && (
            <button type="button" className="status works" style={{ border: 0, cursor: "pointer" }} onClick={onBegin}>
              Begin here
            </button>
          )}
        </div>
      </div>
    </Card>
  );
}

/** Where one may begin, while nothing is named. */
function Begin() {
  const models = useVerb("models.list", null).data ?? [];
  const predictions = useVerb("predictions.list", { limit: 5 }).data?.items ?? [];
  return (
    <Empty what="Name a thing, or begin with one of these.">
      <div className="row" style={{ justifyContent: "center", marginTop: 8 }}>
        {models.map((model) => (
          <Link key={model.name} to="/lineage" search={{ of: `model/${model.name}/${model.newest}` } as never}>
            {model.name} v{model.newest}
          </Link>
        ))}
        {predictions.map((one) => (
          <Link key={one.prediction_id} to="/lineage" search={{ of: one.prediction_id } as never}>
            the prediction for {one.entity ?? one.prediction_id}
          </Link>
        ))}
      </div>
    </Empty>
  );
}
