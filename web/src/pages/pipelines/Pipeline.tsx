/** One pipeline: what would run and why, what starts it, how it has run; and a run of it. */

import { Tabs } from "@mantine/core";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card, Page } from "../../parts/Page";
import { Facts, Id, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { duration, moment } from "../../parts/words";
import { useAddress, useParam } from "../../shell/address";
import { STATUSES } from "../runs/running";
import { Marks, seconds } from "./Marks";
import { Plan } from "./Plan";
import { RunIt } from "./RunIt";
import { Starting } from "./Starting";
import { parametersIn, whenOf } from "./telling";

type Sheet = Schemas["PipelineSheet"];
type Mark = Schemas["RunMark"];
type Address = { tab: string; step: string; now: string; given: string };

const COLUMNS: Column<Mark>[] = [
  { name: "status", title: "", value: (run) => run.status, cell: (run) => <Status of={run.status} look={STATUSES[run.status as keyof typeof STATUSES]} /> },
  { name: "id", title: "Run", value: (run) => run.id, cell: (run) => <Link to={`/runs/${run.id}`}>{run.id}</Link> },
  { name: "started", title: "Started", value: (run) => run.started_at ?? run.recorded_at, cell: (run) => <Time at={run.started_at ?? run.recorded_at} /> },
  { name: "took", title: "Took", right: true, value: (run) => seconds(run), cell: (run) => duration(seconds(run)) },
  { name: "for", title: "For the moment", value: (run) => run.now_at, cell: (run) => (run.now_at ? moment(run.now_at) : "") },
  { name: "by", title: "By", value: (run) => run.actor },
];

export function Pipeline() {
  const name = useParam("name");
  const found = useVerb("pipelines.get", { pipeline: name, runs: 200 });
  const [address, change] = useAddress<Address>();
  const given = useMemo(() => parametersIn(address.given), [address.given]);
  return (
    <Page
      name={name}
      title={name}
      crumbs={[{ to: "/pipelines", label: "Pipelines" }]}
      twin={`${path("pipelines.get")}?pipeline=${encodeURIComponent(name)}`}
      actions={found.data?.publication && <Acts sheet={found.data} />}
    >
      <Shown of={found} rows={10}>
        {(sheet) => (
          <>
            <Head sheet={sheet} />
            <Tabs
              value={address.tab ?? (sheet.publication ? "plan" : "runs")}
              onChange={(tab) => change({ tab: tab ?? undefined })}
              keepMounted={false}
            >
              <Tabs.List mb="md">
                {sheet.publication && <Tabs.Tab value="plan">Plan</Tabs.Tab>}
                <Tabs.Tab value="runs">Runs</Tabs.Tab>
                {sheet.publication && <Tabs.Tab value="starts">What starts it</Tabs.Tab>}
              </Tabs.List>
              {sheet.publication && (
                <Tabs.Panel value="plan">
                  <Plan
                      pipeline={name}
                      now={address.now ?? null}
                      given={given}
                      onGive={(given, now) => change({ given: Object.keys(given).length ? JSON.stringify(given) : undefined, now: now || undefined })}
                      last={sheet.runs.find((run) => run.status === "done")?.id}
                      since={`${sheet.publication} ${sheet.runs[0]?.id ?? ""} ${sheet.runs[0]?.status ?? ""}`}
                      selected={address.step}
                      onSelect={(step) => change({ step: step === address.step ? undefined : step })}
                    />
                </Tabs.Panel>
              )}
              <Tabs.Panel value="runs">
                <Ran sheet={sheet} />
              </Tabs.Panel>
              {sheet.publication && (
                <Tabs.Panel value="starts">
                  <Starting pipeline={name} />
                </Tabs.Panel>
              )}
            </Tabs>
          </>
        )}
      </Shown>
    </Page>
  );
}

function Head({ sheet }: { sheet: Sheet }) {
  return (
    <div className="grid two">
      <Card title="Last runs">
        <Marks runs={sheet.runs.slice(0, 40)} />
        <div style={{ marginTop: 12 }}>
          <Facts
            of={[
              ["Newest", sheet.runs[0] && <Link key="n" to={`/runs/${sheet.runs[0].id}`}>{sheet.runs[0].status}, <Time at={sheet.runs[0].recorded_at} /></Link>],
              ["Starts by itself", sheet.triggers.map(whenOf).join("; ") || "no"],
              ["Next", sheet.next_at && <Time key="t" at={sheet.next_at} />],
              ["State", sheet.triggers.some((one) => one.is_paused) ? <Status key="p" of="paused" /> : null],
            ]}
          />
        </div>
      </Card>
      <Card title="Published code">
        {sheet.publication === null ? (
          <span>
            It is not published, so it runs only where its code is: <code>treadle run</code>. Publish it with <code>treadle publish</code>.
          </span>
        ) : (
          <Facts
            of={[
              ["Code", <span key="c" className="id">{sheet.target}</span>],
              ["Published", <span key="p"><Time at={sheet.published_at} /> by {sheet.published_by}</span>],
              ["Publication", <Id key="i" of={sheet.publication} short={16} />],
              ["Bundle", sheet.bundle_digest && <Id key="b" of={sheet.bundle_digest} short={20} />],
              ["Environment", sheet.environment_digest && <Id key="e" of={sheet.environment_digest} short={20} />],
            ]}
          />
        )}
      </Card>
    </div>
  );
}

function Ran({ sheet }: { sheet: Sheet }) {
  const navigate = useNavigate();
  if (sheet.runs.length === 0) return <Empty what="It has not run yet.">Run it now, or let a schedule or a trigger start it.</Empty>;
  return (
    <Card flush>
      <DataTable label="Runs" rows={sheet.runs} columns={COLUMNS} id={(run) => run.id} onOpen={(run) => void navigate({ to: `/runs/${run.id}` })} />
    </Card>
  );
}

function Acts({ sheet }: { sheet: Sheet }) {
  const pipeline = sheet.name;
  const fire = useAct("triggers.fire", (one) => (one.state === "refused" ? `Not started. ${one.reason}` : `${pipeline} starts within a second.`));
  const pause = useAct("triggers.pause", () => `${pipeline} is paused.`);
  const resume = useAct("triggers.resume", () => `${pipeline} starts by itself again.`);
  const isPaused = sheet.triggers.some((one) => one.is_paused);
  return (
    <>
      {sheet.triggers.length > 0 && !isPaused && (
        <Ask label="Pause" permission="code.run" title={`Pause ${pipeline}`} onDo={() => pause.mutateAsync({ pipeline })}>
          Nothing starts it by itself until it is resumed. By hand it still starts.
        </Ask>
      )}
      {isPaused && (
        <Ask label="Resume" permission="code.run" title={`Resume ${pipeline}`} onDo={() => resume.mutateAsync({ pipeline })}>
          It starts by itself again, from now on. What fell due meanwhile is passed over.
        </Ask>
      )}
      <Ask label="Fire" permission="run.start" title={`Fire ${pipeline}`} reason onDo={(reason) => fire.mutateAsync({ pipeline, reason })}>
        Starts it as a trigger would: without parameters, and within its limits.
      </Ask>
      <RunIt pipeline={pipeline} />
    </>
  );
}
