/** What the steps of a run printed; while it runs, as it is printed. */

import { Button, Select, Switch, TextInput } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { stream, type Schemas } from "../../api/client";
import { Card } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/State";
import { plural } from "../../parts/words";
import { useAddress } from "../../shell/address";
import { LogBook, type Line } from "./logbook";
import "./logs.css";

const AT_WORK = ["queued", "running", "waiting"];
const DRAW_EVERY_MS = 120;

export function Logs({ run }: { run: Schemas["Run"] }) {
  const [address, change] = useAddress<{ find: string; of: string; stay: boolean }>();
  const runs = AT_WORK.includes(run.status);
  const { lines, isOver, error } = useLines(run.id, runs);
  const text = (address.find ?? "").toLowerCase();
  const steps = useMemo(() => [...new Set(lines.map((line) => line.step))].sort(), [lines]);
  const shown = useMemo(
    () => lines.filter((line) => (!text || line.text.toLowerCase().includes(text)) && (!address.of || line.step === address.of)),
    [lines, text, address.of],
  );
  const follows = runs && address.stay !== true;
  return (
    <Card flush title="Logs" aside={runs ? `${plural(lines.length, "line")}, as they are printed` : plural(lines.length, "line")}>
      <div className="row" style={{ padding: "8px 16px" }}>
        <TextInput
          placeholder="Search the lines"
          aria-label="Search the lines"
          data-search
          value={address.find ?? ""}
          onChange={(event) => change({ find: event.currentTarget.value })}
          w={240}
        />
        <Select
          placeholder="Every step"
          aria-label="Of which step"
          data={steps}
          value={address.of ?? null}
          onChange={(step) => change({ of: step ?? undefined })}
          clearable
          searchable
          w={220}
        />
        {runs && <Switch label="Follow" checked={follows} onChange={(event) => change({ stay: event.currentTarget.checked ? undefined : true })} />}
        {text && <span className="dim">{plural(shown.length, "line")} found</span>}
        <Button variant="default" size="xs" disabled={shown.length === 0} onClick={() => save(run.id, shown)} style={{ marginLeft: "auto" }}>
          Save as text
        </Button>
      </div>
      {error && <Failed error={error} />}
      {!isOver && lines.length === 0 && !error && (runs ? <Empty what="Nothing was printed yet." /> : <Loading rows={3} />)}
      {isOver && lines.length === 0 && !error && <Empty what="Nothing was printed.">What steps print, and what they write with Python's logging, stands here.</Empty>}
      {lines.length > 0 && <Lines of={shown} find={text} follows={follows} />}
    </Card>
  );
}

/** The lines so far. A reader that comes late gets what was printed before, then what comes. */
function useLines(run: string, follow: boolean): { lines: readonly Line[]; isOver: boolean; error: Error | null } {
  const [state, set] = useState<{ lines: readonly Line[]; isOver: boolean; error: Error | null }>({ lines: [], isOver: false, error: null });
  useEffect(() => {
    const aborting = new AbortController();
    const book = new LogBook();
    let due: ReturnType<typeof setTimeout> | null = null;
    const draw = () => {
      due = null;
      set((before) => ({ ...before, lines: [...book.lines] }));
    };
    set({ lines: [], isOver: false, error: null });
    void (async () => {
      let error: Error | null = null;
      try {
        for await (const chunk of stream("runs.logs", { run, follow }, aborting.signal)) {
          book.add(chunk);
          due ??= setTimeout(draw, DRAW_EVERY_MS);
        }
      } catch (caught) {
        error = caught as Error;
      }
      if (!aborting.signal.aborted) set({ lines: [...book.lines], isOver: true, error });
    })();
    return () => {
      aborting.abort();
      if (due !== null) clearTimeout(due);
    };
  }, [run, follow]);
  return state;
}

function Lines({ of, find, follows }: { of: readonly Line[]; find: string; follows: boolean }) {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: of.length, getScrollElement: () => scroll.current, estimateSize: () => 19, overscan: 30 });
  useEffect(() => {
    if (follows && of.length > 0) virtual.scrollToIndex(of.length - 1);
  }, [follows, of.length, virtual]);
  return (
    <div className="log" ref={scroll} tabIndex={0} role="log" aria-label="Lines" aria-live="off">
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const line = of[item.index]!;
          return (
            <div
              key={item.key}
              data-index={item.index}
              ref={virtual.measureElement}
              className={line.isError ? "log-line bad" : "log-line"}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <span className="log-number">{item.index + 1}</span>
              <span className="log-step" title={line.step}>
                {line.step}
              </span>
              <span className="log-text">{find ? <Found text={line.text} find={find} /> : line.text}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Found({ text, find }: { text: string; find: string }) {
  const at = text.toLowerCase().indexOf(find);
  if (at < 0) return <>{text}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + find.length)}</mark>
      {text.slice(at + find.length)}
    </>
  );
}

function save(run: string, lines: readonly Line[]): void {
  const address = URL.createObjectURL(new Blob([lines.map((line) => `${line.step} | ${line.text}\n`).join("")], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${run}.log`;
  link.click();
  URL.revokeObjectURL(address);
}
