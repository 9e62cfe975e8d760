/** Is the store sound, and what could be cleaned up? The same as `treadle doctor` and `treadle gc`. */

import { Button } from "@mantine/core";
import { useState } from "react";
import { type Schemas } from "../../api/client";
import { useAct, useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { Ask } from "../../parts/Acting";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Facts, Status } from "../../parts/Small";
import { Empty, Failed, Shown } from "../../parts/State";
import { bytes, plural } from "../../parts/words";

type Check = Schemas["Check"];

const LOOKS = { ok: "good", warning: "waits", failed: "bad" } as const;

const CHECKS: Column<Check>[] = [
  { name: "verdict", title: "", value: (check) => check.verdict, cell: (check) => <Status of={check.verdict} look={LOOKS[check.verdict]} /> },
  { name: "name", title: "Looked at", value: (check) => check.name },
  { name: "found", title: "Found", value: (check) => check.found },
  { name: "fix", title: "What to do", value: (check) => check.fix },
];

export function Storage() {
  const may = useMay();
  if (!may("storage.read")) return <Empty what="The store is looked after by administrators." />;
  return (
    <div className="stack">
      <Health />
      <CleanUp />
    </div>
  );
}

function Health() {
  const found = useVerb("storage.examine", {});
  return (
    <Card
      flush
      title="Soundness"
      aside={
        <Button variant="default" loading={found.isFetching} onClick={() => void found.refetch()}>
          Look again
        </Button>
      }
    >
      <Shown of={found}>{({ checks }) => <DataTable label="Checks of the store" rows={checks} columns={CHECKS} id={(check) => check.name} />}</Shown>
    </Card>
  );
}

function CleanUp() {
  const may = useMay();
  const preview = useAct("storage.clean", () => "Looked at; nothing was deleted.");
  const clean = useAct("storage.clean", (done) => `${plural(done.condemned, "artifact")} condemned, ${plural(done.deleted, "artifact")} deleted.`);
  const [seen, show] = useState<Schemas["CleanUp"] | null>(null);
  if (!may("storage.write")) return null;
  return (
    <Card title="Clean-up" aside="What no name, pin, deployment or recent run needs">
      <div className="stack">
        <div className="row">
          <Button variant="default" loading={preview.isPending} onClick={() => preview.mutate({ is_dry_run: true }, { onSuccess: show })}>
            What would go?
          </Button>
          {seen && (
            <Ask label="Clean up" title="Clean up the store?" permission="storage.write" danger onDo={() => clean.mutateAsync({ is_dry_run: false }).then(() => show(null))}>
              What nothing needs is condemned now; what was condemned a grace ago is deleted for good.
            </Ask>
          )}
        </div>
        {preview.isError && <Failed error={preview.error} />}
        {seen && (
          <Facts
            of={[
              ["Artifacts", `${plural(seen.artifacts, "artifact")}, ${bytes(seen.artifact_bytes)}`],
              ["Would be condemned", `${plural(seen.condemned, "artifact")}, ${bytes(seen.condemned_bytes)}`],
              ["Would be deleted", `${plural(seen.deleted, "artifact")}, ${bytes(seen.deleted_bytes)}`],
              ["Kept", plural(seen.kept, "artifact")],
              ["Tables", plural(seen.tables.length, "table")],
            ]}
          />
        )}
      </div>
    </Card>
  );
}
