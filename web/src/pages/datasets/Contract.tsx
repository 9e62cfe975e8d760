/** The contract as a person reads it: what is promised, each rule in words with how it stands, whom to ask. */

import { Problem, type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Facts, Status } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure, moment, percent } from "../../parts/words";

type PageRule = Schemas["PageRule"];
type PageColumn = Schemas["PageColumn"];

const RULES: Column<PageRule>[] = [
  { name: "outcome", title: "", value: (rule) => rule.outcome, cell: (rule) => <Status of={rule.outcome ?? "not asked"} look={rule.outcome === "held" ? "good" : rule.outcome === "failed" ? (rule.severity === "error" ? "bad" : "waits") : ""} /> },
  { name: "says", title: "Rule", value: (rule) => rule.says, cell: (rule) => <span title={rule.business_impact}>{rule.says}</span> },
  { name: "severity", title: "Severity", value: (rule) => rule.severity },
  { name: "effect", title: "What a breach does", value: (rule) => rule.effect },
  { name: "failed", title: "Failing", right: true, value: (rule) => rule.failed, cell: (rule) => (rule.failed ? figure(rule.failed) : "") },
];

const COLUMNS: Column<PageColumn>[] = [
  { name: "name", title: "Column", value: (column) => column.name },
  { name: "type", title: "Type", value: (column) => column.type },
  { name: "unit", title: "Unit", value: (column) => column.unit },
  { name: "description", title: "What it is", value: (column) => column.description },
  { name: "notes", title: "", value: (column) => column.notes.join("; ") },
];

export function Contract({ name }: { name: string }) {
  const found = useVerb("contracts.page", { dataset: name });
  const check = useAct("contracts.check", (report) => (report.passed ? "It keeps its contract." : "It breaks its contract."));
  if (found.error instanceof Problem && found.error.status === 404) {
    return (
      <Card>
        <Empty what="It has no contract.">
          <code>treadle contracts init {name}</code> draws a first one from its rows.
        </Empty>
      </Card>
    );
  }
  return (
    <Shown of={found} rows={10}>
      {(page) => (
        <div className="stack">
          <div className="grid">
            <Card
              title={page.title || name}
              aside={
                <Ask label="Check now" title="Judge the newest snapshot?" permission="contract.write" onDo={() => check.mutateAsync({ dataset: name })}>
                  Nothing is refused; the report is kept.
                </Ask>
              }
            >
              <Facts
                of={[
                  ["Version", `${page.version}, ${page.status}`],
                  ["What for", page.purpose],
                  ["Not for", page.limitations],
                  ["One row is", page.granularity],
                  ["Owner", page.owner],
                  ["Whom to ask", page.people.map((person) => `${person.name} (${person.role})`).join(", ")],
                  ["Channels", page.channels.map((channel) => channel.channel).join(", ")],
                ]}
              />
            </Card>
            <Card title="How it stands" aside={page.last && moment(page.last.at)}>
              {page.last ? (
                <div className="stack">
                  <Status of={page.last.passed ? "kept" : "broken"} look={page.last.passed ? "good" : "bad"} />
                  <span>
                    {percent(page.last.passed_share)} of {figure(page.last.rows)} rows keep every rule.
                  </span>
                  {page.promises.map((promise, at) => (
                    <span key={at}>
                      <Status of={promise.kept === null ? "not measured" : promise.kept ? "kept" : "broken"} look={promise.kept === null ? "" : promise.kept ? "good" : "bad"} /> {promise.description || `${promise.property}: ${promise.promise}`}
                    </span>
                  ))}
                </div>
              ) : (
                <Empty what="It was not judged yet." />
              )}
            </Card>
          </div>
          <Card flush title="Rules">
            <DataTable label="Rules" rows={page.rules} columns={RULES} id={(rule) => rule.id} height={520} />
          </Card>
          <Card flush title="Columns">
            <DataTable label="Columns of the contract" rows={page.columns} columns={COLUMNS} id={(column) => column.name} height={420} />
          </Card>
        </div>
      )}
    </Shown>
  );
}
