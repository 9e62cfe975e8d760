/** Who or what started a run: a person, or the event that it followed. */

import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";

export function Cause({ run }: { run: Schemas["Run"] }) {
  if (!run.caused_by?.startsWith("evt_")) return <span>{run.actor}</span>;
  return (
    <Link to="/activity" search={{ event: run.caused_by } as never}>
      an event
    </Link>
  );
}
