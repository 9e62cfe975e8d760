/** One alert as a story: what moved, what came before it, what it led to, and what became of that. */

import { NumberInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { path, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { Card, Page } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { day, figure, moment } from "../../parts/words";
import { addressOf } from "../../shell/things";
import { useParam } from "../../shell/address";
import { columnsText } from "./judging";

export function Alert() {
  const id = useParam("alert");
  const found = useVerb("alerts.show", { alert: id });
  const alert = found.data;
  return (
    <Page
      name={alert ? `${alert.kind} at ${alert.endpoint}` : "Alert"}
      title={
        <span className="row">
          {alert ? `${alert.kind} at ${alert.endpoint}` : "Alert"}
          {alert && <Status of={alert.state} look={alert.state === "open" ? "bad" : alert.state === "acknowledged" ? "waits" : "good"} />}
        </span>
      }
      about={alert && columnsText(alert, 5)}
      crumbs={[{ to: "/monitoring", label: "Monitoring" }]}
      twin={`${path("alerts.show")}?alert=${id}`}
      actions={alert && alert.state !== "resolved" && <Acts alert={alert} />}
    >
      <Shown of={found} rows={8}>
        {(one) => (
          <>
            <Card>
              <Facts
                of={[
                  ["Monitor", <Link key="m" to={`/monitoring/${one.endpoint}`} search={{ window: one.first_window_at } as never}>the window of {day(one.first_window_at)}</Link>],
                  ["Version", <Link key="v" to={`/models/${one.endpoint}/${one.model_version}`}>v{one.model_version}</Link>],
                  ["Peak", `${figure(one.peak)} of ${figure(one.threshold)}`],
                  ["Windows", one.windows],
                  ["Opened", <Time key="o" at={one.recorded_at} />],
                  ["Taken care of by", one.acknowledged_by],
                  ["Ended", one.resolved_at && moment(one.resolved_at)],
                  ["How", one.resolution],
                ]}
              />
            </Card>
            <Diagnosis alert={one} />
          </>
        )}
      </Shown>
    </Page>
  );
}

function Diagnosis({ alert }: { alert: Schemas["Alert"] }) {
  const found = useVerb("provenance.diagnose", { alert: alert.id });
  return (
    <Shown of={found} rows={8}>
      {(diagnosis) => (
        <>
          <div className="grid">
            <Card title="What moved" aside={`since ${day(diagnosis.since)}`}>
              {diagnosis.moved.length === 0 ? (
                <Empty what="No column stands out." />
              ) : (
                <ul className="plain stack">
                  {diagnosis.moved.map((one) => (
                    <li key={one.column}>
                      <Link to={`/monitoring/${alert.endpoint}`} search={{ window: alert.first_window_at, column: one.column } as never}>
                        {one.column}
                      </Link>{" "}
                      <span className="dim">{figure(one.z)}</span>
                      <div>{one.how}</div>
                    </li>
                  ))}
                </ul>
              )}
            </Card>
            <Card title="What came before it" aside="upstream, the nearest first">
              {diagnosis.suspects.length === 0 ? (
                <Empty what="Nothing upstream changed before it." />
              ) : (
                <ul className="plain stack">
                  {diagnosis.suspects.map((one) => (
                    <li key={one.id}>
                      {addressOf(one.subject) ? <Link to={addressOf(one.subject)!}>{one.what}</Link> : one.what}
                      <div className="dim">
                        {moment(one.at)} by {one.actor},{" "}
                        <Link to="/activity" search={{ event: one.id } as never}>
                          the event
                        </Link>
                      </div>
                    </li>
                  ))}
                </ul>
              )}
            </Card>
          </div>
          <Card title="What it led to">
            {diagnosis.consequences.length === 0 ? (
              <Empty what="Nothing followed.">No trigger listens to it, or what it started was refused: too soon, or over its budget.</Empty>
            ) : (
              <ol className="plain stack">
                {diagnosis.consequences.map((one) => (
                  <li key={one.id} className="row" style={{ flexWrap: "nowrap", alignItems: "flex-start" }}>
                    <Status of={one.kind} look="" />
                    <Consequence of={one} />
                  </li>
                ))}
              </ol>
            )}
          </Card>
          {diagnosis.runbooks.length > 0 && (
            <Card title="What to do">
              {diagnosis.runbooks.map((one) => (
                <p key={one}>{one}</p>
              ))}
            </Card>
          )}
        </>
      )}
    </Shown>
  );
}

function Consequence({ of }: { of: Schemas["Consequence"] }) {
  const to = addressOf(of.id);
  return to ? <Link to={to}>{of.title}</Link> : <span>{of.title}</span>;
}

function Acts({ alert }: { alert: Schemas["Alert"] }) {
  const acknowledge = useAct("alerts.acknowledge", () => "You take care of it.");
  const resolve = useAct("alerts.resolve", () => "The alert is over.");
  const silence = useAct("alerts.silence", () => "Nobody is told for a while.");
  const [hours, set] = useState<number | string>(24);
  return (
    <>
      {alert.state === "open" && (
        <Ask label="Take care of it" title="Take care of this alert?" permission="alert.write" onDo={() => acknowledge.mutateAsync({ alert: alert.id })}>
          Others see that you look into it; it goes on until the windows are quiet again.
        </Ask>
      )}
      <Ask
        label="Silence"
        title={`Keep messages of ${alert.endpoint} back?`}
        permission="alert.write"
        reason="required"
        onDo={(reason) => silence.mutateAsync({ endpoint: alert.endpoint, for_s: Number(hours) * 3600, reason })}
      >
        <NumberInput label="Hours" value={hours} onChange={set} min={1} max={2160} />
      </Ask>
      <Ask label="Resolve" title="End this alert?" permission="alert.write" reason="required" onDo={(reason) => resolve.mutateAsync({ alert: alert.id, reason })}>
        The same cause opens a new one if it goes on.
      </Ask>
    </>
  );
}
