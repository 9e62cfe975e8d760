/** A table of any length: only the rows in sight are drawn. Sorted by a click on a heading; a row opens what it is about. */

import {
  columnVisibilityFeature,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_datetime,
  sortFn_text,
  tableFeatures,
  useTable,
  type ColumnDef,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useMemo, useRef, type KeyboardEvent, type ReactNode } from "react";

const features = tableFeatures({
  rowSortingFeature,
  columnVisibilityFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, text: sortFn_text, datetime: sortFn_datetime },
});

type Value = string | number | boolean | Date | null | undefined;

export interface Column<T> {
  name: string;
  /** The heading; the name where it says enough. */
  title?: string;
  /** What is sorted by, and shown where `cell` is absent. */
  value: (row: T) => Value;
  cell?: (row: T) => ReactNode;
  /** Figures stand to the right. */
  right?: boolean;
}

interface DataTableProps<T> {
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string;
  /** What the table is of, for those who do not see it. */
  label: string;
  onOpen?: (row: T) => void;
  selected?: (row: T) => boolean;
  hidden?: readonly string[];
  /** How high it may be before it scrolls; a number of pixels or CSS. */
  height?: number | string;
  /** Sorting is the server's, and told of. */
  sorting?: { by: string; descending: boolean } | null;
  onSort?: (sorting: { by: string; descending: boolean } | null) => void;
  /** Called when the last rows come into sight. */
  onEnd?: () => void;
}

const ROW = 36;

export function DataTable<T extends object>(props: DataTableProps<T>) {
  const { rows, columns, id, label, onOpen, selected, hidden = [], height = "min(70vh, 720px)", sorting, onSort, onEnd } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const definitions = useMemo<ColumnDef<typeof features, T>[]>(
    () =>
      columns.map((column) => ({
        id: column.name,
        accessorFn: (row: T) => column.value(row) ?? undefined,
        sortUndefined: "last" as const,
        header: column.title ?? column.name,
      })),
    [columns],
  );
  const data = useMemo(() => [...rows], [rows]);
  const visibility = useMemo(() => Object.fromEntries(hidden.map((name) => [name, false])), [hidden]);
  const isServers = onSort !== undefined;
  const table = useTable<typeof features, T>({
    features,
    columns: definitions,
    data,
    getRowId: id,
    enableMultiSort: false,
    manualSorting: isServers,
    state: {
      columnVisibility: visibility,
      ...(isServers ? { sorting: sorting ? [{ id: sorting.by, desc: sorting.descending }] : [] } : {}),
    },
    ...(isServers
      ? {
          onSortingChange: (change) => {
            const before = sorting ? [{ id: sorting.by, desc: sorting.descending }] : [];
            const next = (typeof change === "function" ? change(before) : change)[0];
            onSort(next ? { by: next.id, descending: next.desc } : null);
          },
        }
      : {}),
  });
  const byName = useMemo(() => new Map(columns.map((column) => [column.name, column])), [columns]);
  const drawn = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: drawn.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 12,
    onChange: (instance) => {
      const last = instance.getVirtualItems().at(-1);
      if (onEnd && last && last.index >= drawn.length - 5) onEnd();
    },
  });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const count = columns.length;

  function onKey(event: KeyboardEvent, row: T) {
    if (event.key === "Enter" && event.target === event.currentTarget) onOpen?.(row);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const to = event.key === "ArrowDown" ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling;
      if (to instanceof HTMLElement && to.tabIndex === 0) {
        to.focus();
        event.preventDefault();
      }
    }
  }

  return (
    <div className="table" ref={scroll} style={{ maxHeight: height }} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={drawn.length}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const way = header.column.getIsSorted();
                return (
                  <th
                    key={header.id}
                    scope="col"
                    className={byName.get(header.column.id)?.right ? "right" : undefined}
                    aria-sort={way === "asc" ? "ascending" : way === "desc" ? "descending" : "none"}
                  >
                    {byName.get(header.column.id)?.title === "" ? (
                      <span className="unseen">{header.column.id}</span>
                    ) : (
                      <button type="button" onClick={header.column.getToggleSortingHandler()}>
                        {byName.get(header.column.id)?.title ?? header.column.id}
                        {way === "asc" && <ArrowUp size={12} aria-hidden />}
                        {way === "desc" && <ArrowDown size={12} aria-hidden />}
                      </button>
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {before > 0 && (
            <tr aria-hidden>
              <td colSpan={count} style={{ height: before, padding: 0, border: 0 }} />
            </tr>
          )}
          {items.map((item) => {
            const row = drawn[item.index];
            if (row === undefined) return null;
            return (
              <tr
                key={row.id}
                aria-rowindex={item.index + 1}
                aria-selected={selected ? selected(row.original) : undefined}
                className={onOpen ? "opens" : undefined}
                tabIndex={onOpen ? 0 : undefined}
                onClick={(event) => {
                  const inside = (event.target as HTMLElement).closest("a, button, input, label");
                  if (!inside && !window.getSelection()?.toString()) onOpen?.(row.original);
                }}
                onKeyDown={(event) => onKey(event, row.original)}
              >
                {row.getVisibleCells().map((cell) => {
                  const column = byName.get(cell.column.id);
                  const value = column?.value(row.original);
                  return (
                    <td key={cell.id} className={column?.right ? "right" : undefined}>
                      {column?.cell ? column.cell(row.original) : value === null || value === undefined ? "" : String(value)}
                    </td>
                  );
                })}
              </tr>
            );
          })}
          {after > 0 && (
            <tr aria-hidden>
              <td colSpan={count} style={{ height: after, padding: 0, border: 0 }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
