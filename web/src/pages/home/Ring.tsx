/** The ring of the eight systems: each with what flowed through it, how busy it was over the window, and how it is. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { Time } from "../../parts/Small";
import { figure } from "../../parts/words";
import { placesOnRing, sparks, stateWord } from "./ringing";
import "./ring.css";

type System = Schemas["SystemSheet"];

const LEADS: Record<string, string> = {
  collect: "/datasets",
  prepare: "/datasets",
  features: "/features",
  labels: "/activity?kinds=%5B%22labels.reviewed%22%2C%22labels.exported%22%5D",
  design: "/experiments",
  train: "/experiments",
  serve: "/endpoints",
  monitor: "/monitoring",
};
const SIZE = 560;
const RADIUS = 212;

export function Ring({ overview }: { overview: Schemas["Overview"] }) {
  const places = placesOnRing(overview.systems.length, SIZE / 2, RADIUS);
  const isFlowing = overview.systems.some((system) => system.state !== "quiet");
  return (
    <div className="ring" role="group" aria-label="The eight systems">
      <svg className="ring-line" viewBox={`0 0 ${SIZE} ${SIZE}`} aria-hidden>
        <circle cx={SIZE / 2} cy={SIZE / 2} r={RADIUS} />
        {isFlowing && <circle className="ring-flow" cx={SIZE / 2} cy={SIZE / 2} r={RADIUS} />}
      </svg>
      <div className="ring-middle">
        <strong>Treadle</strong>
        <span>data goes round</span>
      </div>
      {overview.systems.map((system, at) => (
        <Node key={system.name} system={system} left={places[at]!.x / SIZE} top={places[at]!.y / SIZE} />
      ))}
    </div>
  );
}

function Node({ system, left, top }: { system: System; left: number; top: number }) {
  return (
    <Link
      to={LEADS[system.name] ?? "/activity"}
      className={`ring-node ${system.state}`}
      style={{ left: `${left * 100}%`, top: `${top * 100}%` }}
    >
      <span className="ring-name">
        <i aria-hidden />
        {system.name} <span className="unseen">: {stateWord(system.state)}</span>
      </span>
      {system.flow.slice(0, 2).map((one) => (
        <span key={one.what} className="ring-flowing">
          <b>{figure(one.count)}</b> {one.what}
        </span>
      ))}
      {system.flow.length === 0 && <span className="ring-flowing">{system.last_at ? <Time at={system.last_at} /> : "quiet"}</span>}
      <svg className="ring-spark" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden>
        {sparks(system.series).map((bar) => (
          <rect key={bar.x} x={bar.x} y={16 - bar.height} width={bar.width} height={bar.height} />
        ))}
      </svg>
    </Link>
  );
}
