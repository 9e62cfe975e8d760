/** What can be done with a run: cancel it, go on with it, answer what it asks, run it again with other parameters. */

import { TextInput } from "@mantine/core";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { Card } from "../../parts/Page";
import { Facts, Status, Time } from "../../parts/Small";
import { RunIt } from "../pipelines/RunIt";
import { plain } from "../pipelines/telling";

type Run = Schemas["Run"];

const ENDS = ["queued", "running", "waiting", "interrupted"];
const RESUMES = ["failed", "interrupted", "cancelled"];

export function Acts({ run }: { run: Run }) {
  const cancel = useAct("runs.cancel", (one) => (one.is_cancelled ? "The run is cancelled." : "The run had ended already."));
  const resume = useAct("runs.resume", () => "The run goes on within a second.");
  const [step, choose] = useState("");
  const waits = useVerb("runs.waiting", null, { enabled: run.status === "waiting" });
  // A run that `treadle up` did not start is not gone on with by itself once its question is answered.
  const isAnswered = run.status === "waiting" && waits.data !== undefined && !waits.data.some((wait) => wait.run === run.id);
  if (run.kind !== "pipeline" || run.parent !== null) return null;
  const given = Object.fromEntries(Object.entries(run.params).map(([name, value]) => [name, plain(value)]));
  return (
    <>
      {ENDS.includes(run.status) && (
        <Ask label="Cancel" permission="code.run" title="Cancel the run" danger reason confirm="Cancel the run" onDo={(reason) => cancel.mutateAsync({ run: run.id, reason })}>
          Its workers end within a heartbeat, and nothing of it is committed from now on. What its steps have finished is kept.
        </Ask>
      )}
      {(RESUMES.includes(run.status) || isAnswered) && (
        <Ask label="Resume" permission="code.run" title="Resume the run" variant="filled" onDo={() => resume.mutateAsync({ run: run.id, from_step: step || null })}>
          <span>It goes on with the code that was published last. What it has finished is not run again.</span>
          <TextInput
            label="From step (optional)"
            description="Runs this step again whatever is known, and what then differs."
            value={step}
            onChange={(event) => choose(event.currentTarget.value)}
          />
        </Ask>
      )}
      <RunIt pipeline={run.name} label="Run again" given={given} seed={run.seed ?? 0} now={run.now_at} variant="default" />
    </>
  );
}

/** What a waiting run asks, with the answers. */
export function Waiting({ run }: { run: Run }) {
  const found = useVerb("runs.waiting", null, { enabled: run.status === "waiting" });
  const answer = useAct("runs.answer", () => "It is answered.");
  if (run.status !== "waiting") return null;
  const waits = (found.data ?? []).filter((wait) => wait.run === run.id);
  return (
    <>
      {waits.map((wait) => (
        <Card
          key={wait.id}
          title={wait.kind === "approval" ? wait.subject || "It waits for an approval" : `It waits for ${wait.kind === "time" ? "a moment" : "an event"}`}
          aside={<Status of="waiting" />}
        >
          <div className="stack">
            <Facts
              of={[
                ["About", wait.kind === "approval" ? null : wait.subject],
                ["Due", wait.due_at && <Time key="d" at={wait.due_at} />],
                ...Object.entries(wait.request).map(([name, value]): [string, string] => [name, typeof value === "string" ? value : JSON.stringify(value)]),
              ]}
            />
            {wait.kind === "approval" && (
              <div className="row">
                <Ask label="Yes" permission="code.run" title={wait.subject || "Approve"} variant="filled" confirm="Yes" onDo={() => answer.mutateAsync({ wait: wait.id, answer: true })}>
                  What treadle up started goes on by itself with the answer yes, another run when it is resumed. Who answered stands in the audit log.
                </Ask>
                <Ask label="No" permission="code.run" title={wait.subject || "Decline"} danger confirm="No" onDo={() => answer.mutateAsync({ wait: wait.id, answer: false })}>
                  What treadle up started goes on by itself with the answer no, another run when it is resumed. Who answered stands in the audit log.
                </Ask>
              </div>
            )}
          </div>
        </Card>
      ))}
    </>
  );
}
