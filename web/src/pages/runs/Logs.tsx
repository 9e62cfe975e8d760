/** What the steps of a run printed; while it runs, as it is printed. */

import { Switch, TextInput } from "@mantine/core";
import { useEffect, useMemo, useState } from "react";
import { stream, type Schemas } from "../../api/client";
import { Card } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/State";

type Chunk = Schemas["LogChunk"];

const COLOURS = /\u001b\[[0-9;]*[A-Za-z]/g;

export function Logs({ run }: { run: Schemas["Run"] }) {
  const [chunks, keep] = useState<Chunk[]>([]);
  const [isOver, end] = useState(false);
  const [error, fail] = useState<Error | null>(null);
  const [text, write] = useState("");
  const [withSteps, show] = useState(true);
  const runs = run.status === "running";

  useEffect(() => {
    const aborting = new AbortController();
    keep([]);
    end(false);
    fail(null);
    void (async () => {
      try {
        for await (const chunk of stream("runs.logs", { run: run.id, follow: runs }, aborting.signal)) {
          keep((before) => [...before, chunk]);
        }
      } catch (caught) {
        if (!aborting.signal.aborted) fail(caught as Error);
      } finally {
        if (!aborting.signal.aborted) end(true);
      }
    })();
    return () => aborting.abort();
  }, [run.id, runs]);

  const lines = useMemo(
    () =>
      chunks.flatMap((chunk) =>
        chunk.content
          .replace(COLOURS, "")
          .replace(/\n$/, "")
          .split("\n")
          .map((line) => ({ step: chunk.path, isError: chunk.stream === "stderr", line })),
      ),
    [chunks],
  );
  const shown = text ? lines.filter((one) => one.line.toLowerCase().includes(text.toLowerCase())) : lines;
  return (
    <Card flush title="Logs" aside={runs ? "follows while it runs" : `${lines.length} lines`}>
      <div className="row" style={{ padding: "8px 16px" }}>
        <TextInput placeholder="Search the lines" aria-label="Search the lines" data-search value={text} onChange={(event) => write(event.currentTarget.value)} w={260} />
        <Switch label="With steps" checked={withSteps} onChange={(event) => show(event.currentTarget.checked)} />
      </div>
      {error && <Failed error={error} />}
      {!isOver && !runs && lines.length === 0 && <Loading rows={3} />}
      {isOver && lines.length === 0 && !error && <Empty what="Nothing was printed." />}
      <pre className="json" tabIndex={0} aria-label="Lines" style={{ padding: "0 16px 12px", maxHeight: "65vh", overflow: "auto" }}>
        {shown.map((one, at) => (
          <div key={at} style={one.isError ? { color: "var(--red)" } : undefined}>
            {withSteps && <span className="dim">{one.step.split("/").slice(1).join("/")} </span>}
            {one.line}
          </div>
        ))}
      </pre>
    </Card>
  );
}
