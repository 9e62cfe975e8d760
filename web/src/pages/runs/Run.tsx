/** One run: how its steps lie in time, what they printed, why it ran, what it was made from. */

import { Tabs } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Json, Status, Time } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { duration, moment } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { Cause } from "./Cause";
import { Logs } from "./Logs";
import { Timeline } from "./Timeline";
import { STATUSES, reuse, secondsOf } from "./running";

type RunRow = Schemas["Run"];

export function Run() {
  const id = useParam("run");
  const [address, change] = useAddress<{ tab: string; step: string }>();
  const found = useVerb("runs.get", { run: id });
  const name = found.data?.run.name ?? id;
  return (
    <Page
      name={name}
      title={
        <span className="row">
          {name} {found.data && <Status of={found.data.run.status} look={STATUSES[found.data.run.status]} />}
        </span>
      }
      crumbs={[{ to: "/runs", label: "Runs" }]}
      twin={`${path("runs.get")}?run=${id}`}
    >
      <Shown of={found} rows={10}>
        {({ run, below }) => (
          <>
            {run.error && <Trouble error={run.error} />}
            <Card>
              <Facts
                of={[
                  ["Started", <Time key="s" at={run.started_at} />],
                  ["Took", duration(secondsOf(run))],
                  ["For the moment", run.now_at && moment(run.now_at)],
                  ["By", <Cause key="c" run={run} />],
                  ["Inside", run.parent && <Link key="p" to={`/runs/${run.root}`}>{run.root}</Link>],
                  ["Reused", run.reused_from && <Link key="r" to={`/runs/${run.reused_from}`}>{reuse(run) || run.reused_from}</Link>],
                  ["Id", <Id key="i" of={run.id} />],
                ]}
              />
            </Card>
            <Tabs value={address.tab ?? "timeline"} onChange={(tab) => change({ tab: tab === "timeline" ? undefined : (tab ?? undefined) })} keepMounted={false}>
              <Tabs.List mb="md">
                <Tabs.Tab value="timeline">Timeline</Tabs.Tab>
                <Tabs.Tab value="logs">Logs</Tabs.Tab>
                <Tabs.Tab value="facts">Facts</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="timeline">
                <Timeline root={run} below={below} selected={address.step} onSelect={(step) => change({ step })} />
              </Tabs.Panel>
              <Tabs.Panel value="logs">
                <Logs run={run} />
              </Tabs.Panel>
              <Tabs.Panel value="facts">
                <Made run={run} />
              </Tabs.Panel>
            </Tabs>
          </>
        )}
      </Shown>
    </Page>
  );
}

function Trouble({ error }: { error: NonNullable<RunRow["error"]> }) {
  const text = (name: string) => (typeof error[name] === "string" ? (error[name] as string) : "");
  return (
    <div className="failed" role="alert">
      <strong>{text("what") || text("message") || text("type") || "It failed."}</strong>
      {text("why") && <span>{text("why")}</span>}
      {text("fix") && <span className="fix">{text("fix")}</span>}
      {text("traceback") && <pre className="json">{text("traceback")}</pre>}
    </div>
  );
}

function Made({ run }: { run: RunRow }) {
  return (
    <div className="grid">
      <Card title="Parameters">
        <Json of={run.params} />
      </Card>
      <Card title="Made from">
        <Facts
          of={[
            ["Code", run.code_digest && <Id key="c" of={run.code_digest} short={28} />],
            ["Bundle", run.bundle_digest && <Id key="b" of={run.bundle_digest} short={28} />],
            ["Environment", run.environment_digest && <Id key="e" of={run.environment_digest} short={28} />],
            ["Seed", run.seed],
            ["Host", run.host],
            ["Attempt", run.attempt],
            ["Key", run.key && <Id key="k" of={run.key} short={28} />],
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
