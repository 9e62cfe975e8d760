/** A run of the published code with parameters: a form made from what its body takes, then the run itself. */

import { Button, Checkbox, Modal, NumberInput, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { call, type Schemas } from "../../api/client";
import { useMay } from "../../api/session";
import { Failed, Loading } from "../../parts/State";
import { usePlan } from "./planning";
import { textOf, valuesOf } from "./telling";

type Parameter = Schemas["Parameter"];

interface RunItProps {
  pipeline: string;
  label?: string;
  /** Of an earlier run, whose parameters the form begins with. */
  given?: Record<string, unknown>;
  seed?: number;
  now?: string | null;
  variant?: string;
}

export function RunIt(props: RunItProps) {
  const may = useMay()("code.run");
  const [isOpen, open] = useState(false);
  if (!may) return null;
  return (
    <>
      <Button size="xs" variant={props.variant ?? "filled"} onClick={() => open(true)}>
        {props.label ?? "Run it now"}
      </Button>
      <Modal opened={isOpen} onClose={() => open(false)} title={`Run ${props.pipeline}`} closeButtonProps={{ "aria-label": "Close" }}>
        {isOpen && <Form {...props} onClose={() => open(false)} />}
      </Modal>
    </>
  );
}

function Form({ pipeline, given, seed = 0, now, onClose }: RunItProps & { onClose: () => void }) {
  const plan = usePlan({ pipeline, now: null }, "form", true);
  const [texts, write] = useState<Record<string, string> | null>(null);
  const [extra, choose] = useState({ seed, now: now ?? "", fresh: false, reason: "" });
  const [error, fail] = useState<Error | null>(null);
  const [firing, fired] = useState<string | null>(null);
  const [busy, work] = useState(false);
  const known = plan.data?.parameters;
  const parameters = known ?? [];
  const shown = texts ?? Object.fromEntries(parameters.map((one) => [one.name, textOf(one, given)]));

  async function act() {
    work(true);
    fail(null);
    try {
      const asked = await call("pipelines.run", {
        pipeline,
        parameters: valuesOf(parameters, shown),
        seed: extra.seed,
        now: extra.now || null,
        fresh: extra.fresh,
        reason: extra.reason,
      });
      fired(asked.id);
    } catch (caught) {
      fail(caught as Error);
      work(false);
    }
  }

  if (plan.isError) return <Failed error={plan.error} />;
  if (known === undefined) return <Loading rows={4} />;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void act();
      }}
    >
      {parameters.length === 0 && <span className="dim">Its body takes no parameters.</span>}
      {parameters.map((one) => (
        <Field key={one.name} of={one} text={shown[one.name] ?? ""} onWrite={(text) => write({ ...shown, [one.name]: text })} />
      ))}
      <div className="grid" style={{ gridTemplateColumns: "1fr 2fr" }}>
        <NumberInput label="Seed" value={extra.seed} onChange={(value) => choose({ ...extra, seed: Number(value) || 0 })} allowDecimal={false} />
        <TextInput
          label="As of"
          description="What td.now() says; the present when empty."
          placeholder="2013-12-30T05:00:00Z"
          value={extra.now}
          onChange={(event) => choose({ ...extra, now: event.currentTarget.value })}
        />
      </div>
      <Checkbox
        label="Use nothing that is known: run every step again"
        checked={extra.fresh}
        onChange={(event) => choose({ ...extra, fresh: event.currentTarget.checked })}
      />
      <TextInput
        label="Why (optional)"
        description="Stands in the audit log."
        value={extra.reason}
        onChange={(event) => choose({ ...extra, reason: event.currentTarget.value })}
      />
      {error && <Failed error={error} />}
      {firing && <Begin pipeline={pipeline} firing={firing} onClose={onClose} />}
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button variant="subtle" color="gray" onClick={onClose}>
          {firing ? "Close" : "Leave it"}
        </Button>
        <Button type="submit" loading={busy}>
          Run
        </Button>
      </div>
    </form>
  );
}

export function Field({ of, text, onWrite }: { of: Parameter; text: string; onWrite: (text: string) => void }) {
  const says = [of.type, of.is_required ? "" : `${of.default_text} by default`].filter(Boolean).join(", ");
  if (of.type === "bool") {
    return <Checkbox label={of.name} description={says} checked={text === "true"} onChange={(event) => onWrite(String(event.currentTarget.checked))} />;
  }
  if (of.choices.length > 0) {
    return <Select label={of.name} description={says} data={of.choices.map(String)} value={text} onChange={(value) => onWrite(value ?? "")} required={of.is_required} />;
  }
  return <TextInput label={of.name} description={says} value={text} onChange={(event) => onWrite(event.currentTarget.value)} required={of.is_required && of.type !== "str"} />;
}

/** Waits until the run that was asked for has begun, and goes to it. */
function Begin({ pipeline, firing, onClose }: { pipeline: string; firing: string; onClose: () => void }) {
  const navigate = useNavigate();
  const found = useQuery({
    queryKey: ["triggers.get", { pipeline }, firing],
    queryFn: ({ signal }) => call("triggers.get", { pipeline }, signal),
    refetchInterval: 700,
  });
  const run = found.data?.firings.find((one) => one.id === firing)?.run;
  useEffect(() => {
    if (!run) return;
    onClose();
    void navigate({ to: `/runs/${run}` });
  }, [run, navigate, onClose]);
  return (
    <span className="status works" role="status">
      Starting: a process of its own is made for it.
    </span>
  );
}
