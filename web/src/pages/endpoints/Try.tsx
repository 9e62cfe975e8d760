/** Asks the endpoint about one row, from a form of its inputs; what came back, how long it took, and the same as a command. */

import { Button, Drawer, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { call, type Schemas } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Facts, Json } from "../../parts/Small";
import { Failed, Shown } from "../../parts/State";
import { figure } from "../../parts/words";
import { rowOf, textOf } from "./trying";

export function Try({ endpoint }: { endpoint: string }) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const may = useMay();
  if (!may("endpoint.try")) return null;
  return (
    <>
      <Button variant="default" onClick={open}>
        Try
      </Button>
      <Drawer opened={isOpen} onClose={close} position="right" title={`Try ${endpoint}`} size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {isOpen && <Form endpoint={endpoint} />}
      </Drawer>
    </>
  );
}

function Form({ endpoint }: { endpoint: string }) {
  const example = useVerb("endpoints.example", { endpoint }, { fixed: true });
  return <Shown of={example}>{(found) => <Inputs endpoint={endpoint} example={found} />}</Shown>;
}

function Inputs({ endpoint, example }: { endpoint: string; example: Schemas["Example"] }) {
  const names = Object.keys(example.inputs);
  const [at, go] = useState(0);
  const [texts, write] = useState<Record<string, string>>(() => textOf(names, example.rows[0] ?? {}));
  const [answer, show] = useState<Schemas["Tried"] | null>(null);
  const [error, fail] = useState<Error | null>(null);
  const [busy, work] = useState(false);

  async function ask() {
    work(true);
    fail(null);
    try {
      show(await call("endpoints.try", { endpoint, row: rowOf(example.inputs, texts) }));
    } catch (caught) {
      fail(caught as Error);
    } finally {
      work(false);
    }
  }

  function another() {
    const next = (at + 1) % Math.max(1, example.rows.length);
    go(next);
    write(textOf(names, example.rows[next] ?? {}));
  }

  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void ask();
      }}
    >
      <div className="row">
        <Button type="submit" loading={busy}>
          Ask
        </Button>
        {example.rows.length > 1 && (
          <Button variant="default" onClick={another}>
            Another row
          </Button>
        )}
        <span className="dim">It is logged, and left out of monitors and values.</span>
      </div>
      {error && <Failed error={error} />}
      {answer && (
        <div className="card stack">
          <Facts
            of={[
              ...Object.entries(answer.prediction)
                .filter(([name]) => name !== "prediction_id")
                .map(([name, value]): [string, string] => [name, typeof value === "number" ? figure(value) : String(value)]),
              ["Took", `${figure(answer.latency_ms)} ms`],
              ["By", answer.model_version && `version ${answer.model_version}, revision ${answer.revision}`],
              ["Prediction", <Link key="p" className="id" to={`/predictions/${String(answer.prediction["prediction_id"])}`}>{String(answer.prediction["prediction_id"])}</Link>],
            ]}
          />
          <details>
            <summary>The same as a command</summary>
            <pre className="json">{`curl ${answer.url} -H 'Content-Type: application/json' -d '${JSON.stringify({ rows: answer.body["rows"] }).replaceAll("'", "'\\''")}'`}</pre>
          </details>
          <details>
            <summary>The whole answer</summary>
            <Json of={answer.prediction} />
          </details>
        </div>
      )}
      <div className="grid" style={{ gridTemplateColumns: "repeat(auto-fill, minmax(190px, 1fr))", gap: 8 }}>
        {names.map((name) => (
          <TextInput key={name} label={name} description={example.inputs[name]} value={texts[name] ?? ""} onChange={(event) => write({ ...texts, [name]: event.currentTarget.value })} />
        ))}
      </div>
    </form>
  );
}
