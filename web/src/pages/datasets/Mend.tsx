/** Mends chosen rows, all in the same way: shown before it is done. */

import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { call, type Schemas } from "../../api/client";
import { useAct } from "../../api/hooks";
import { Ask } from "../../parts/Acting";
import { Failed } from "../../parts/State";
import { plural } from "../../parts/words";

export function Mend({ dataset, rows, onDone }: { dataset: string; rows: string[]; onDone: () => void }) {
  const mend = useAct("quarantine.mend", (done) => `${plural(done.n_released, "row")} mended and let in.`);
  const [column, setColumn] = useState("");
  const [expression, setExpression] = useState("");
  const [seen, show] = useState<Schemas["MendPreview"] | null>(null);
  const [error, fail] = useState<Error | null>(null);
  const asked = (reason: string) => ({ dataset, rows, reason, set: { [column]: expression } });

  async function look() {
    fail(null);
    try {
      show(await call("quarantine.try_mend", asked("a look beforehand")));
    } catch (caught) {
      fail(caught as Error);
    }
  }

  return (
    <Ask label="Mend" title={`Mend ${plural(rows.length, "row")}`} permission="quarantine.write" reason="required" onDo={(reason) => mend.mutateAsync(asked(reason)).then(onDone)}>
      <TextInput label="Column" value={column} onChange={(event) => setColumn(event.currentTarget.value)} required />
      <TextInput label="Becomes" description="An expression in SQL over the row, such as abs(dep_delay) or null" value={expression} onChange={(event) => setExpression(event.currentTarget.value)} required />
      <Button variant="default" onClick={() => void look()} disabled={!column || !expression}>
        What would come of it?
      </Button>
      {error && <Failed error={error} />}
      {seen && (
        <div className="stack tight">
          <span>
            {plural(seen.passing, "row")} would pass, {plural(seen.still_held, "row")} would still be held.
          </span>
          {seen.rows.slice(0, 4).map((row) => (
            <span key={row.id} className="id">
              {column}: {String(row.before[column])} → {String(row.after[column])}
            </span>
          ))}
        </div>
      )}
    </Ask>
  );
}
