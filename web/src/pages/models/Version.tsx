/** One version: what it is, on what evidence it stands, where it came from; and the acts on it. */

import { Tabs, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { Card, Page } from "../../parts/Page";
import { Facts, Figure, Figures, Id, Json, Status, Time } from "../../parts/Small";
import { Empty, Loading, Shown } from "../../parts/State";
import { bytes, figure } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Engines } from "./Engines";
import { Evidence } from "./Evidence";

const Markdown = lazy(() => import("../../parts/Markdown"));

export function Version() {
  const model = useParam("model");
  const version = useParam("version");
  const [address, change] = useAddress<{ tab: string }>();
  const found = useVerb("models.get", { model, version });
  return (
    <Page
      name={`${model} v${version}`}
      title={
        <span className="row">
          {model} v{version}
          {found.data?.aliases.map((alias) => <Status key={alias} of={alias} look="by-hand" />)}
        </span>
      }
      crumbs={[
        { to: "/models", label: "Models" },
        { to: `/models/${model}`, label: model },
      ]}
      twin={`${path("models.get")}?model=${encodeURIComponent(model)}&version=${version}`}
      actions={found.data && <Acts sheet={found.data} />}
    >
      <Shown of={found} rows={10}>
        {(sheet) => (
          <Tabs value={address.tab ?? "evidence"} onChange={(tab) => change({ tab: tab === "evidence" ? undefined : (tab ?? undefined) })} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="evidence">Evidence</Tabs.Tab>
              <Tabs.Tab value="card">Card</Tabs.Tab>
              <Tabs.Tab value="engines">Engines</Tabs.Tab>
              <Tabs.Tab value="facts">Facts</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="evidence">
              <div className="stack">
                <Metrics of={sheet.version.metrics} />
                <Evidence of={sheet.evidence} />
              </div>
            </Tabs.Panel>
            <Tabs.Panel value="card">
              <CardPage model={model} version={version} />
            </Tabs.Panel>
            <Tabs.Panel value="engines">
              <Engines model={model} version={version} />
            </Tabs.Panel>
            <Tabs.Panel value="facts">
              <VersionFacts version={sheet.version} />
            </Tabs.Panel>
          </Tabs>
        )}
      </Shown>
    </Page>
  );
}

function Metrics({ of }: { of: Record<string, number> }) {
  if (Object.keys(of).length === 0) return null;
  return (
    <Card title="Metrics at registration">
      <Figures>
        {Object.entries(of).map(([name, value]) => (
          <Figure key={name} value={figure(value)} label={name.replaceAll("_", " ")} />
        ))}
      </Figures>
    </Card>
  );
}

function CardPage({ model, version }: { model: string; version: string }) {
  const found = useVerb("models.card", { model, version });
  return (
    <Card>
      <Shown of={found} rows={10}>
        {(card) => (
          <Suspense fallback={<Loading />}>
            <Markdown of={card.markdown} />
          </Suspense>
        )}
      </Shown>
    </Card>
  );
}

function VersionFacts({ version }: { version: Schemas["ModelVersion"] }) {
  return (
    <div className="grid">
      <Card title="What it is">
        <Facts
          of={[
            ["Registered", <Time key="t" at={version.recorded_at} />],
            ["By", version.actor],
            ["Run", version.run && <Link key="r" to={`/runs/${version.run}`}>{version.run}</Link>],
            ["Lineage", <Link key="l" to="/lineage" search={{ of: `model/${version.model}/${version.number}` } as never}>up and down</Link>],
            ["Digest", <Id key="d" of={version.digest} short={28} />],
            ["Probe", version.probe && <Id key="p" of={version.probe} short={28} />],
            ["Size", bytes(version.size_bytes)],
            ["Stage", version.stage === "None" ? null : version.stage],
            ["Description", version.description],
          ]}
        />
      </Card>
      <Card title="Data it learned from">
        {Object.keys(version.data).length === 0 ? (
          <Empty what="None is named." />
        ) : (
          <Facts of={Object.entries(version.data).map(([name, at]) => [name, <Id key={name} of={at} short={34} />])} />
        )}
      </Card>
      <Card title="Signature">
        <Json of={version.signature} />
      </Card>
      <Card title="Further facts">
        <Json of={version.facts} />
      </Card>
    </div>
  );
}

function Acts({ sheet }: { sheet: Schemas["VersionSheet"] }) {
  const { model, number } = sheet.version;
  const promote = useAct("models.promote", (version) => `The alias stands on v${version.number} now.`);
  const unalias = useAct("models.unalias", () => "The alias is taken away.");
  const verify = useAct("provenance.verify", (found) => `Made again: ${found.verdict}, ${Math.round(found.seconds)} s.`);
  const [alias, name] = useState("champion");
  return (
    <>
      <Ask
        label="Verify"
        title={`Make v${number} again?`}
        permission="code.run"
        onDo={() => verify.mutateAsync({ id: `${model}/${number}` })}
      >
        Its run is made again from what was recorded, in a fresh process, and compared byte for byte. It takes about as long as the
        first time; the verdict stands among the evidence.
      </Ask>
      <Ask
        label="Promote"
        title={`Move an alias to v${number}`}
        permission="model.promote"
        reason="required"
        variant="filled"
        onDo={(reason) => promote.mutateAsync({ model, version: number, alias, reason })}
      >
        <TextInput label="Alias" value={alias} onChange={(event) => name(event.currentTarget.value)} required />
        <span className="dim">Endpoints keep the version that they serve until it is deployed or released.</span>
      </Ask>
      {sheet.aliases.map((one) => (
        <Ask
          key={one}
          label={`Take ${one} away`}
          title={`Take ${one} away from v${number}?`}
          permission="model.promote"
          danger
          variant="subtle"
          reason
          onDo={(reason) => unalias.mutateAsync({ model, alias: one, reason })}
        >
          Its history stays.
        </Ask>
      ))}
    </>
  );
}
