/** One prediction: what was asked and answered, what each input added, whether it comes out the same today, and its whole chain. */

import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Status, Time } from "../../parts/Small";
import { Empty, Failed, Loading, Shown } from "../../parts/State";
import { figure, moment } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Chain } from "../lineage/Chain";
import { Explanation } from "./Explanation";

type Record_ = Schemas["PredictionRecord"];

export function Prediction() {
  const id = useParam("prediction");
  const found = useVerb("predictions.get", { prediction_id: id }, { fixed: true });
  const [address, change] = useAddress<{ explain: boolean }>();
  const replay = useAct("provenance.replay", (done) => `Model ${done.model.verdict}, features ${done.features.verdict}.`);
  const may = useMay();
  return (
    <Page
      name={found.data?.entity ?? "Prediction"}
      title={found.data ? `${figure(found.data.outputs[0])} for ${found.data.entity ?? found.data.endpoint}` : "Prediction"}
      about={<Id of={id} />}
      crumbs={[
        { to: "/endpoints", label: "Endpoints" },
        { to: `/predictions?endpoint=${found.data?.endpoint ?? ""}`, label: "Predictions" },
      ]}
      twin={`${path("predictions.get")}?prediction_id=${id}`}
      actions={
        <>
          {may("code.run") && (
            <Button variant="default" loading={replay.isPending} onClick={() => replay.mutate({ prediction: id })}>
              Replay
            </Button>
          )}
          {!address.explain && (
            <Button variant="default" onClick={() => change({ explain: true })}>
              Explain
            </Button>
          )}
        </>
      }
    >
      {replay.isPending && <Loading rows={2} />}
      {replay.isError && <Failed error={replay.error} />}
      {replay.data && <Replayed of={replay.data} />}
      {address.explain && <Explanation prediction={id} />}
      <Shown of={found} rows={10}>
        {(record) => (
          <div className="grid">
            <Answered record={record} />
            <Inputs record={record} />
          </div>
        )}
      </Shown>
      <Card title="Where it comes from" aside={<Link to="/lineage" search={{ of: id } as never}>as a graph</Link>}>
        <Chain id={id} />
      </Card>
    </Page>
  );
}

function Answered({ record }: { record: Record_ }) {
  return (
    <Card title="What was answered">
      <Facts
        of={[
          ["Said", record.outputs.map(figure).join(", ")],
          ["About", record.entity],
          ["For", moment(record.event_at)],
          ["Answered", <Time key="a" at={record.recorded_at} />],
          ["Endpoint", <Link key="e" to={`/endpoints/${record.endpoint}`}>{record.endpoint}</Link>],
          ["Version", <Link key="v" to={`/models/${record.model}/${record.model_version}`}>{`${record.model} v${record.model_version}`}</Link>],
          ["Revision", record.revision],
          ["Engine", `${record.engine} ${record.engine_version}`],
          ["Features as of", record.feature_as_of && moment(record.feature_as_of)],
          ["Feature frame", record.features && <Id key="f" of={record.features} short={28} />],
          ["Call", <Id key="c" of={record.call_id} />],
          ["Backdated", record.backdated ? "yes" : null],
        ]}
      />
    </Card>
  );
}

function Inputs({ record }: { record: Record_ }) {
  const inputs = Object.entries(record.inputs);
  return (
    <Card title="What it was asked" aside={`${inputs.length} inputs`}>
      {inputs.length === 0 ? (
        <Empty what="No input was logged." />
      ) : (
        <Facts of={inputs.map(([name, value]) => [name, typeof value === "number" ? figure(value) : value === null ? "null" : String(value)])} />
      )}
    </Card>
  );
}

function Replayed({ of }: { of: Schemas["PredictionReplay"] }) {
  return (
    <div className="grid">
      <Part title="The same model, asked again" of={of.model} />
      <Part title="Its features, made again" of={of.features} />
    </div>
  );
}

const LOOKS = { identical: "good", "within tolerance": "good", different: "bad", "not reproducible": "waits" } as const;

function Part({ title, of }: { title: string; of: Schemas["ReplayedPart"] }) {
  return (
    <Card title={title} aside={<Status of={of.verdict} look={LOOKS[of.verdict]} />}>
      <Facts
        of={[
          ["Verdict", of.verdict],
          ["Largest difference", of.largest_difference === null ? null : figure(of.largest_difference)],
          ["Why", of.reason],
          ["Run", of.run && <Link key="r" to={`/runs/${of.run}`}>{of.run}</Link>],
          ...of.differences.slice(0, 8).map((one): [string, string] => [one.name, `${String(one.served)} then, ${String(one.now)} now`]),
        ]}
      />
    </Card>
  );
}
