/** One run: its steps and how they stand, what they printed, what they used and made, why it ran and what came of it. */

import { Tabs } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Json, Status, Time } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { duration, moment } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Acts, Waiting } from "./Acts";
import { Cause } from "./Cause";
import { Logs } from "./Logs";
import { Steps } from "./Steps";
import { Story } from "./Story";
import { Things } from "./Things";
import { Trouble } from "./Trouble";
import { useNow } from "./now";
import { STATUSES, secondsOf } from "./running";

type RunRow = Schemas["Run"];

export function Run() {
  const id = useParam("run");
  const [address, change] = useAddress<{ tab: string; step: string }>();
  const found = useVerb("runs.get", { run: id });
  const run = found.data?.run;
  const name = run?.name ?? id;
  const isStory = run?.kind === "pipeline" && run.parent === null;
  return (
    <Page
      name={name}
      title={
        <span className="row">
          {name} {run && <Status of={run.status} look={STATUSES[run.status]} />}
        </span>
      }
      crumbs={[{ to: "/runs", label: "Runs" }, ...(isStory ? [{ to: `/pipelines/${name}`, label: name }] : [])]}
      twin={`${path("runs.get")}?run=${id}`}
      actions={run && <Acts run={run} />}
    >
      <Shown of={found} rows={10}>
        {({ run: shown, below }) => (
          <>
            {shown.error && <Trouble error={shown.error} />}
            <Waiting run={shown} />
            <Head run={shown} />
            <Tabs
              value={address.tab ?? "steps"}
              onChange={(tab) => change({ tab: tab === "steps" ? undefined : (tab ?? undefined) })}
              keepMounted={false}
            >
              <Tabs.List mb="md">
                <Tabs.Tab value="steps">Steps</Tabs.Tab>
                <Tabs.Tab value="logs">Logs</Tabs.Tab>
                <Tabs.Tab value="things">Inputs and outputs</Tabs.Tab>
                {isStory && <Tabs.Tab value="story">Why, and what came of it</Tabs.Tab>}
                <Tabs.Tab value="facts">Facts</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="steps">
                <Steps run={shown} below={below} selected={address.step} onSelect={(step) => change({ step })} />
              </Tabs.Panel>
              <Tabs.Panel value="logs">
                <Logs run={shown} />
              </Tabs.Panel>
              <Tabs.Panel value="things">
                <Things run={shown} below={below} />
              </Tabs.Panel>
              <Tabs.Panel value="story">
                <Story run={shown} below={below} />
              </Tabs.Panel>
              <Tabs.Panel value="facts">
                <Made run={shown} />
              </Tabs.Panel>
            </Tabs>
          </>
        )}
      </Shown>
    </Page>
  );
}

function Head({ run }: { run: RunRow }) {
  const now = useNow(run.status === "running");
  return (
    <Card>
      <div className="grid" style={{ alignItems: "start" }}>
      <Facts
        of={[
          ["Started", run.started_at && <span key="s"><Time at={run.started_at} />, {moment(run.started_at)}</span>],
          ["Took", duration(secondsOf(run, now))],
          ["For the moment", run.now_at && moment(run.now_at)],
          ["Parameters", summary(run.params)],
        ]}
      />
      <Facts
        of={[
          ["By", <Cause key="c" run={run} />],
          ["Inside", run.parent && <Link key="p" to={`/runs/${run.root}`} search={{ step: run.id } as never}>{run.root}</Link>],
          ["Attempt", run.attempt > 1 ? `${run.attempt}: it was gone on with` : null],
          ["Id", <Id key="i" of={run.id} />],
        ]}
      />
      </div>
    </Card>
  );
}

function summary(params: RunRow["params"]): string {
  const text = Object.entries(params)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function Made({ run }: { run: RunRow }) {
  const changes = (run.notes?.["changes"] as string[] | undefined) ?? [];
  const undeclared = (run.notes?.["undeclared"] as string[] | undefined) ?? [];
  return (
    <div className="grid">
      <Card title="Parameters">{Object.keys(run.params).length ? <Json of={run.params} /> : <span className="dim">None.</span>}</Card>
      <Card title="Made from">
        <Facts
          of={[
            ["Target", typeof run.notes?.["target"] === "string" ? run.notes["target"] : null],
            ["Code", run.code_digest && <Id key="c" of={run.code_digest} short={28} />],
            ["Bundle", run.bundle_digest && <Id key="b" of={run.bundle_digest} short={28} />],
            ["Environment", run.environment_digest && <Id key="e" of={run.environment_digest} short={28} />],
            ["Seed", run.seed],
            ["Host", run.host],
            ["Process", run.pid],
            ["Attempt", run.attempt],
            ["Key", run.key && <Id key="k" of={run.key} short={28} />],
            ["Changed since it began", changes.join("; ")],
            ["Read, not declared", undeclared.join(", ")],
          ]}
        />
      </Card>
      {run.key_parts && Object.keys(run.key_parts).length > 0 && (
        <Card title="What its result is known by">
          <Json of={run.key_parts} />
        </Card>
      )}
    </div>
  );
}
