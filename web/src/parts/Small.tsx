/** The small words of the pages: a state, a time, an id, facts, figures. */

import { ActionIcon, CopyButton, Tooltip } from "@mantine/core";
import { Check, Copy } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { ago, moment } from "./words";

const LOOKS: Record<string, string> = {
  finished: "good", succeeded: "good", ready: "good", served: "good", passed: "good", resolved: "good", promoted: "good",
  ok: "good", identical: "good", healthy: "good", active: "good", released: "good", fresh: "good", true: "good",
  running: "works", working: "works", started: "works", shadow: "works", canary: "works", advancing: "works", pending: "works",
  waiting: "waits", scheduled: "waits", open: "waits", acknowledged: "waits", draft: "waits", warning: "waits", paused: "waits",
  held: "waits", stale: "waits", requested: "waits", mended: "waits",
  failed: "bad", refused: "bad", broken: "bad", error: "bad", killed: "bad", different: "bad", rejected: "bad", critical: "bad",
  rolled_back: "bad", false: "bad", violated: "bad",
  cancelled: "by-hand", silenced: "by-hand", stopped: "by-hand", discarded: "by-hand",
};

/** A state in its colour; the word says it too, for those who do not see colours. */
export function Status({ of, look, children }: { of: string; look?: "good" | "waits" | "bad" | "works" | "by-hand" | ""; children?: ReactNode }) {
  return <span className={`status ${look ?? LOOKS[of.toLowerCase()] ?? ""}`}>{children ?? of.replaceAll("_", " ")}</span>;
}

/** How long ago, kept up while one looks; the moment itself is its title. */
export function Time({ at }: { at: string | number | null | undefined }) {
  const [, turn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => turn((n) => n + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (at === null || at === undefined) return <span className="dim">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={moment(at)}>
      {ago(at)}
    </time>
  );
}

/** An id in full, with a button that copies it. */
export function Id({ of, short }: { of: string; short?: number }) {
  return (
    <span className="row" style={{ gap: 2, display: "inline-flex" }}>
      <span className="id" title={of}>
        {short && of.length > short ? `${of.slice(0, short)}…` : of}
      </span>
      <CopyButton value={of}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : "Copy"}>
            <ActionIcon size="xs" variant="subtle" color="gray" onClick={copy} aria-label={`Copy ${of}`}>
              {copied ? <Check size={12} /> : <Copy size={12} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </span>
  );
}

/** Names and values, one below the other; those without a value are left out. */
export function Facts({ of }: { of: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <div className="figures">{children}</div>;
}

export function Figure({ value, label }: { value: ReactNode; label: string }) {
  return (
    <div className="figure">
      <b>{value}</b>
      <span>{label}</span>
    </div>
  );
}

export function Json({ of }: { of: unknown }) {
  return <pre className="json">{JSON.stringify(of, null, 2)}</pre>;
}
