/** Home: does the loop turn, what is wrong, what waits for me? */

import { SegmentedControl } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { path, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { Card, Page } from "../../parts/Page";
import { Figure, Figures, Status, Time } from "../../parts/Small";
import { Empty, Shown } from "../../parts/State";
import { figure, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { addressOf } from "../../shell/things";
import { Subject, gist } from "../activity";
import { Ring } from "./Ring";

type Overview = Schemas["Overview"];

const WINDOWS = [
  { value: "24", label: "Day" },
  { value: "168", label: "Week" },
  { value: "744", label: "Month" },
];
const WORDS: Record<string, string> = { "24": "the last day", "168": "the last week", "744": "the last month" };
const RECENT = 12;
const SILENT = ["ref.moved", "act.finished", "step.finished", "step.cached"];

export function Home() {
  const [address, change] = useAddress<{ hours: string }>();
  const hours = String(address.hours ?? 24);
  const found = useVerb("overview.get", { hours: Number(hours), buckets: 24 });
  return (
    <Page
      name="Home"
      title="The loop"
      about={`What flowed through the eight systems in ${WORDS[hours] ?? "the window"}, what is wrong, and what waits for a person.`}
      twin={path("overview.get")}
      actions={
        <SegmentedControl
          data={WINDOWS}
          value={hours}
          onChange={(value) => change({ hours: value === "24" ? undefined : value })}
          aria-label="How far back"
        />
      }
    >
      <Shown of={found} rows={12}>
        {(overview) => (
          <>
            <div className="grid two">
              <Card>
                <Ring overview={overview} />
              </Card>
              <div className="stack">
                <Card title="What needs you" aside={concernCount(overview)}>
                  <Concerns overview={overview} />
                </Card>
              </div>
            </div>
            <div className="grid two">
              <Recent />
              <Card title="The loop itself" aside={`in ${WORDS[hours] ?? "the window"}`}>
                <Figures>
                  <Figure value={<Link to="/runs">{figure(overview.runs)}</Link>} label={overview.runs === 1 ? "run ended" : "runs ended"} />
                  <Figure value={figure(overview.failed)} label="of them failed" />
                  <Figure value={<Link to="/models">{figure(overview.decided)}</Link>} label="releases decided" />
                </Figures>
              </Card>
            </div>
          </>
        )}
      </Shown>
    </Page>
  );
}

function concernCount(overview: Overview): string {
  const wrong = overview.concerns.filter((one) => one.state === "wrong").length;
  const waits = overview.concerns.length - wrong + overview.more_concerns;
  return [wrong ? `${wrong} wrong` : "", waits ? `${waits} waiting` : ""].filter(Boolean).join(", ");
}

const SHOWN = 14;

function Concerns({ overview }: { overview: Overview }) {
  if (overview.concerns.length === 0) return <Empty what="Nothing waits.">No alert is open, no incident, no run asks.</Empty>;
  const more = overview.concerns.length - SHOWN + overview.more_concerns;
  return (
    <ul className="plain stack tight">
      {overview.concerns.slice(0, SHOWN).map((one) => (
        <li key={one.id} className="concern">
          <Status of={one.system} look={one.state === "wrong" ? "bad" : "waits"} />
          <Link to={addressOf(one.subject) ?? "/activity"} search={(one.system === "prepare" ? { tab: "incidents" } : {}) as never} title={one.what}>
            {one.what}
          </Link>
          <span className="dim">
            <Time at={one.since} />
          </span>
        </li>
      ))}
      {more > 0 && (
        <li className="dim">
          and {plural(more, "more", "more")}: <Link to="/monitoring">alerts</Link>, <Link to="/datasets">incidents</Link>
        </li>
      )}
    </ul>
  );
}

function Recent() {
  const found = useVerb("events.list", { limit: 60 });
  return (
    <Card title="Recent" aside={<Link to="/activity">Everything</Link>}>
      <Shown of={found}>
        {(events) => {
          const told = events.filter((event) => !SILENT.includes(event.kind)).slice(0, RECENT);
          if (told.length === 0) {
            return (
              <Empty what="Nothing has happened yet.">
                <code>treadle init</code> begins a project; <code>treadle demo</code> shows a whole year of one.
              </Empty>
            );
          }
          return (
            <ul className="plain stack tight">
              {told.map((event) => (
                <li key={event.id} className="row" style={{ flexWrap: "nowrap", minWidth: 0 }}>
                  <span className="dim" style={{ flex: "0 0 84px" }}>
                    <Time at={event.recorded_at} />
                  </span>
                  <Link to="/activity" search={{ event: event.id } as never}>
                    {event.kind}
                  </Link>
                  <Subject of={event.subject} />
                  <span className="dim" style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}>
                    {gist(event)}
                  </span>
                </li>
              ))}
            </ul>
          );
        }}
      </Shown>
    </Card>
  );
}
