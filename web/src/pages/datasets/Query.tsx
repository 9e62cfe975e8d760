/** A question in SQL over the snapshots of the project. */

import { Button, Textarea } from "@mantine/core";
import { useMemo, useState } from "react";
import { path } from "../../api/client";
import { useVerb } from "../../api/hooks";
import { useMay } from "../../api/session";
import { DataTable, type Column } from "../../parts/DataTable";
import { Card } from "../../parts/Page";
import { Empty, Loading, Shown } from "../../parts/State";
import { duration, plural } from "../../parts/words";
import { useAddress } from "../../shell/address";

const LIMIT = 1000;

interface Line {
  at: number;
  values: unknown[];
}

export function Query({ name }: { name: string }) {
  const may = useMay();
  const [address, change] = useAddress<{ sql: string }>();
  const [sql, write] = useState(address.sql ?? `select * from "${name}" limit 100`);
  const asked = address.sql ?? `select * from "${name}" limit 100`;
  const found = useVerb("datasets.query", { sql: asked, limit: LIMIT }, { enabled: may("dataset.query"), fixed: true });
  const columns = useMemo<Column<Line>[]>(
    () =>
      (found.data?.columns ?? []).map((column, at) => ({
        name: `${at}`,
        title: column.name,
        value: (line: Line) => {
          const value = line.values[at];
          return value === null || value === undefined ? null : typeof value === "object" ? JSON.stringify(value) : (value as string | number | boolean);
        },
        right: /INT|DOUBLE|FLOAT|DECIMAL/i.test(column.type),
      })),
    [found.data],
  );
  const lines = useMemo(() => (found.data?.rows ?? []).map((values, at) => ({ at, values })), [found.data]);
  if (!may("dataset.query")) return <Empty what="Queries are not for you.">Ask whoever administers this home.</Empty>;
  return (
    <div className="stack">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          change({ sql }, true);
        }}
      >
        <Textarea
          aria-label="A question in SQL"
          autosize
          minRows={2}
          maxRows={12}
          value={sql}
          onChange={(event) => write(event.currentTarget.value)}
          onKeyDown={(event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && change({ sql }, true)}
          styles={{ input: { fontFamily: "var(--mono)" } }}
        />
        <div className="row">
          <Button type="submit" loading={found.isFetching}>
            Ask
          </Button>
          <span className="dim">
            Every dataset is a table of its name; <code>"{name}@3"</code> is its third snapshot. Ctrl Enter asks. The same at <code>{path("datasets.query")}</code>.
          </span>
        </div>
      </form>
      {found.isPlaceholderData && <Loading />}
      <Shown of={found}>
        {(answer) => found.isPlaceholderData ? null : (
          <Card flush title={plural(answer.rows.length, "row")} aside={`${answer.is_cut ? "cut off here; " : ""}${duration(answer.seconds)}`}>
            {lines.length === 0 ? <Empty what="No row." /> : <DataTable label="Answer" rows={lines} columns={columns} id={(line) => String(line.at)} />}
          </Card>
        )}
      </Shown>
    </div>
  );
}
