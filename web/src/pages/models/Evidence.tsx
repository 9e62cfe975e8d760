/** What is known of a version: gates with their intervals, decisions, verdicts of making it again. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { Card } from "../../parts/Page";
import { Json, Status, Time } from "../../parts/Small";
import { Empty } from "../../parts/State";
import { figure } from "../../parts/words";
import { findingsOf, intervalOf, type Finding } from "./intervals";
import "./evidence.css";

type VersionEvidence = Schemas["VersionEvidence"];

export function Evidence({ of }: { of: VersionEvidence[] }) {
  if (of.length === 0) {
    return (
      <Card>
        <Empty what="Nothing is known of it yet.">A release leaves its gates here, and treadle verify its verdict.</Empty>
      </Card>
    );
  }
  return (
    <>
      {[...of].reverse().map((one) => (
        <One key={one.id} evidence={one} />
      ))}
    </>
  );
}

const GOOD = ["promoted", "passed", "identical-bytes", "identical-model", "identical-predictions", "equal-to-1e-6", "true"];

function One({ evidence }: { evidence: VersionEvidence }) {
  const interval = intervalOf(evidence.body);
  const reason = typeof evidence.body["reason"] === "string" ? evidence.body["reason"] : "";
  return (
    <Card
      title={
        <span className="row">
          {evidence.kind} <Status of={evidence.verdict} look={GOOD.includes(evidence.verdict) ? "good" : "bad"} />
        </span>
      }
      aside={
        <>
          <Time at={evidence.recorded_at} /> by {evidence.actor}
          {evidence.run && (
            <>
              {" "}
              in <Link to={`/runs/${evidence.run}`}>its run</Link>
            </>
          )}
        </>
      }
    >
      <div className="stack">
        {reason && <span>{reason}</span>}
        {interval && <IntervalPicture {...interval} />}
        <Findings of={findingsOf(evidence.body)} />
        <details>
          <summary>Everything it says</summary>
          <Json of={evidence.body} />
        </details>
      </div>
    </Card>
  );
}

/** The gates one by one: what was wanted, what was found. */
function Findings({ of }: { of: Finding[] }) {
  if (of.length === 0) return null;
  return (
    <div className="table" tabIndex={0} role="region" aria-label="Gates">
      <table>
        <thead>
          <tr>
            <th scope="col">Passed</th>
            <th scope="col">Gate</th>
            <th scope="col">Wanted</th>
            <th scope="col">Found</th>
          </tr>
        </thead>
        <tbody>
          {of.map((one) => (
            <tr key={one.name}>
              <td>
                <Status of={one.passed ? "passed" : "failed"} />
              </td>
              <td>{one.name}</td>
              <td>{one.wanted}</td>
              <td>{one.found}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The difference between challenger and champion with its interval, against zero. */
function IntervalPicture({ value, lower, upper, name }: { value: number; lower: number; upper: number; name: string }) {
  const reach = Math.max(Math.abs(lower), Math.abs(upper), Math.abs(value)) * 1.15 || 1;
  const at = (figure: number) => `${50 + (figure / reach) * 50}%`;
  return (
    <figure className="interval" aria-label={`${name}: ${figure(value)}, between ${figure(lower)} and ${figure(upper)}`}>
      <div className="interval-line">
        <i className="interval-zero" />
        <i className="interval-span" style={{ left: at(lower), right: `calc(100% - ${at(upper)})` }} />
        <i className="interval-dot" style={{ left: at(value) }} />
      </div>
      <figcaption>
        {name} {value > 0 ? "+" : ""}
        {figure(value)} <span className="dim">({figure(lower)} to {figure(upper)}; the line is no difference)</span>
      </figcaption>
    </figure>
  );
}
