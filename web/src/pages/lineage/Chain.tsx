/** A walk up as a tree that opens and closes: from an answer down to raw rows. */

import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { useVerb } from "../../api/hooks";
import { Shown } from "../../parts/State";
import { pageOf, type Thing } from "./growing";
import "./chain.css";

const ROWS = 8;

export function Chain({ id }: { id: string }) {
  const [withRows, ask] = useState(false);
  const found = useVerb("provenance.why", { id, rows: withRows ? ROWS : 0 });
  return (
    <Shown of={found} rows={8}>
      {(root) => (
        <>
          <ul className="plain chain">
            {root.children.map((child, at) => (
              <Branch key={`${at} ${child.children.length}`} of={child} depth={0} />
            ))}
          </ul>
          <Button variant="default" mt={8} disabled={withRows && !found.isFetching} loading={withRows && found.isFetching} onClick={() => ask(true)}>
            Down to the raw rows
          </Button>
        </>
      )}
    </Shown>
  );
}

const OPEN_TO = 2;

function Branch({ of, depth }: { of: Thing; depth: number }) {
  const [isOpen, open] = useState(depth < OPEN_TO);
  if (of.children.length === 0) {
    return (
      <li className="chain-leaf">
        <Line of={of} />
      </li>
    );
  }
  return (
    <li>
      <button type="button" className="chain-turn" aria-expanded={isOpen} aria-label={`What is behind ${of.title}`} onClick={() => open(!isOpen)}>
        <ChevronRight size={14} aria-hidden />
      </button>
      <Line of={of} />
      {isOpen && (
        <ul className="plain">
          {of.children.map((child, at) => (
            <Branch key={at} of={child} depth={depth + 1} />
          ))}
        </ul>
      )}
    </li>
  );
}

function Line({ of }: { of: Thing }) {
  const to = pageOf(of);
  const facts = Object.entries(of.facts)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
    .slice(0, 4);
  return (
    <span>
      <span className="dim">{of.relation}</span> {to ? <Link to={to}>{of.title}</Link> : <b>{of.title}</b>}{" "}
      <span className="dim">
        {facts.map(([name, value]) => `${name} ${String(value)}`).join(", ")}
        {of.note ? ` ${of.note}` : ""}
      </span>
    </span>
  );
}
