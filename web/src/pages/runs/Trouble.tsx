/** What ended a run or a step: what, why, what to do, and where in the code. */

import type { Schemas } from "../../api/client";

export function Trouble({ error }: { error: NonNullable<Schemas["Run"]["error"]> }) {
  const text = (name: string) => (typeof error[name] === "string" ? (error[name] as string) : "");
  return (
    <div className="failed" role="group" aria-label="What went wrong">
      <strong>{text("what") || text("message") || text("type") || "It failed."}</strong>
      {text("why") && <span>{text("why")}</span>}
      {text("fix") && <span className="fix">{text("fix")}</span>}
      {text("traceback") && (
        <details>
          <summary>Traceback</summary>
          <pre className="json" style={{ maxHeight: 360, overflow: "auto" }} tabIndex={0} aria-label="Traceback">
            {text("traceback")}
          </pre>
        </details>
      )}
    </div>
  );
}
