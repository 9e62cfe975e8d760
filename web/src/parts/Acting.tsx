/** Acts that are asked about before they are done: what will happen, why (kept in the audit log), and the button. */

import { Button, Modal, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { useMay } from "../api/session";
import { Failed } from "./State";

interface AskProps {
  /** The button that opens the question. */
  label: string;
  /** What whoever looks must be allowed; without it the button is not there. */
  permission: string;
  title: string;
  /** What will happen, in a sentence. */
  children?: ReactNode;
  /** Whether a reason is asked for; it stands in the audit log. */
  reason?: boolean | "required";
  confirm?: string;
  danger?: boolean;
  disabled?: boolean;
  /** Does it; what it throws is shown in the question. */
  onDo: (reason: string) => Promise<unknown>;
  variant?: string;
  size?: string;
}

export function Ask(props: AskProps) {
  const { label, permission, title, children, reason, confirm, danger, disabled, onDo, variant = "default", size = "xs" } = props;
  const may = useMay();
  const [isOpen, open] = useState(false);
  const [why, say] = useState("");
  const [busy, work] = useState(false);
  const [error, fail] = useState<Error | null>(null);
  if (!may(permission)) return null;

  async function act() {
    work(true);
    fail(null);
    try {
      await onDo(why);
      open(false);
      say("");
    } catch (caught) {
      fail(caught as Error);
    } finally {
      work(false);
    }
  }

  return (
    <>
      <Button variant={variant} size={size} {...(danger ? { color: "red" } : {})} disabled={disabled ?? false} onClick={() => open(true)}>
        {label}
      </Button>
      <Modal opened={isOpen} onClose={() => open(false)} title={title} closeButtonProps={{ "aria-label": "Close" }}>
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void act();
          }}
        >
          {children}
          {reason && (
            <TextInput
              label={reason === "required" ? "Why" : "Why (optional)"}
              description="Stands in the audit log."
              value={why}
              onChange={(event) => say(event.currentTarget.value)}
              required={reason === "required"}
              data-autofocus
            />
          )}
          {error && <Failed error={error} />}
          <div className="row" style={{ justifyContent: "flex-end" }}>
            <Button variant="subtle" color="gray" onClick={() => open(false)}>
              Leave it
            </Button>
            <Button type="submit" loading={busy} {...(danger ? { color: "red" } : {})}>
              {confirm ?? label}
            </Button>
          </div>
        </form>
      </Modal>
    </>
  );
}
