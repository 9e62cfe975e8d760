/** What the columns hold: a picture and the figures of each, what it might be wrong with, and who might be in it. */

import type { Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card } from "../../parts/Page";
import { Status } from "../../parts/Small";
import { Shown } from "../../parts/State";
import { figure, percent, plural } from "../../parts/words";
import "./profile.css";

type ColumnFacts = Schemas["ColumnFacts"];

export function Profile({ name, at }: { name: string; at: string | undefined }) {
  const found = useVerb("profiles.get", { dataset: name, at: at ?? null, bars: 32 });
  return (
    <Shown of={found} rows={12}>
      {(profile) => (
        <div className="stack">
          {profile.hints.length > 0 && (
            <Card title="Worth a look">
              <ul className="plain stack tight">
                {profile.hints.map((hint, at_) => (
                  <li key={at_}>
                    {hint.column && <b>{hint.column}: </b>}
                    {hint.says}
                  </li>
                ))}
              </ul>
            </Card>
          )}
          <span className="dim">
            v{profile.version}, {plural(profile.rows, "row")}, {plural(profile.columns.length, "column")}
          </span>
          <div className="profile">
            {profile.columns.map((column) => (
              <ColumnCard key={column.name} of={column} rows={profile.rows} />
            ))}
          </div>
        </div>
      )}
    </Shown>
  );
}

function text(value: unknown): string {
  if (typeof value === "number") return figure(value);
  return value === null || value === undefined ? "–" : String(value).replace("T", " ").slice(0, 19);
}

function ColumnCard({ of, rows }: { of: ColumnFacts; rows: number }) {
  return (
    <section className="profile-column">
      <header>
        <b>{of.name}</b> <span className="dim">{of.type}</span>
        {of.personal.map((one) => (
          <Status key={one.kind} of={`maybe ${one.kind.replaceAll("_", " ")}`} look="by-hand" />
        ))}
      </header>
      {of.histogram && of.histogram.counts.length > 1 ? <Bars counts={of.histogram.counts} label={`Histogram of ${of.name}`} /> : <Frequent of={of} rows={rows} />}
      <dl>
        {of.histogram && (
          <div>
            <dt>range</dt>
            <dd>
              {text(of.low)} – {text(of.high)}
            </dd>
          </div>
        )}
        {of.mean !== null && of.mean !== undefined && (
          <div>
            <dt>mean</dt>
            <dd>{text(of.mean)}</dd>
          </div>
        )}
        <div>
          <dt>distinct</dt>
          <dd>{figure(of.distinct)}</dd>
        </div>
        <div>
          <dt>nulls</dt>
          <dd>{of.nulls ? percent(of.null_share) : "none"}</dd>
        </div>
      </dl>
    </section>
  );
}

function Bars({ counts, label }: { counts: number[]; label: string }) {
  const most = Math.max(...counts, 1);
  const step = 100 / counts.length;
  return (
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, at) => (
        <rect key={at} x={at * step} y={40 - (count / most) * 40} width={step * 0.9} height={(count / most) * 40} />
      ))}
    </svg>
  );
}

const SHOWN = 5;

function Frequent({ of, rows }: { of: ColumnFacts; rows: number }) {
  if (of.is_withheld) return <p className="dim">Its values are not shown: they may be personal.</p>;
  if (of.frequent.length === 0) return <p className="dim">Every value is its own.</p>;
  return (
    <ol className="plain profile-frequent">
      {of.frequent.slice(0, SHOWN).map((one) => (
        <li key={String(one.value)}>
          <i style={{ width: `${(one.count / Math.max(1, rows)) * 100}%` }} />
          <span>{String(one.value)}</span>
          <span className="dim">{percent(one.count / Math.max(1, rows))}</span>
        </li>
      ))}
    </ol>
  );
}
