"""`treadle datasets diff`: what lies between two snapshots."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.commands.datasets import Name
from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session


def diff(
    session: Session,
    name: Name,
    before: Annotated[str, "a version, a tag, a branch, a time; or OTHER@PLACE for another dataset"],
    after: Annotated[str | None, "the same (default: the newest)"] = None,
    *,
    key: Annotated[list[str] | None, "a column that names a row from outside; repeat it"] = None,
    rows_only: Annotated[bool, "leave the distributions out: their columns are read in full"] = False,
    examples: Annotated[int, "show at most so many rows of each sort"] = 5,
) -> None:
    """What lies between two snapshots: columns, rows, distributions.

    Rows are compared by what they were landed as, and files that both snapshots have are never opened for it. With --key
    they are compared by that as well: which keys came, went and have other values, column by column.
    """
    found = session.client.datasets.diff(
        name=name, before=before, after=after, key=key or [], distributions=not rows_only, examples=examples
    )
    session.out.show(found, lambda paper: _draw(paper, found))


def _draw(paper: Paper, found: Any) -> None:
    paper.table(
        ("", "dataset", "version", "rows", "recorded"),
        [
            (side, one.dataset, one.version, one.rows, one.recorded_at)
            for side, one in (("before", found.before), ("after", found.after))
        ],
    )
    if found.is_same:
        paper.line("\nThey hold the same rows.")
        return
    _schema(paper, found.schema)
    paper.title("Rows")
    rows = found.rows
    paper.table(("added", "removed", "changed", "same"), [(rows.added, rows.removed, rows.changed, rows.same)])
    paper.line(f"{rows.files_shared} files are shared and were not opened; {rows.files_read} were read.", style="dim")
    if found.by_key is not None:
        _by_key(paper, found.by_key)
    if found.columns:
        _distributions(paper, found.columns)


def _schema(paper: Paper, schema: Any) -> None:
    changes = [("added", column.name, "", column.type) for column in schema.added]
    changes += [("removed", column.name, column.type, "") for column in schema.removed]
    changes += [("retyped", one.name, one.before, one.after) for one in schema.retyped]
    if changes:
        paper.title("Columns")
        paper.table(("", "column", "before", "after"), changes)


def _by_key(paper: Paper, found: Any) -> None:
    paper.title(f"By {', '.join(found.key)}")
    paper.table(("inserted", "deleted", "updated"), [(found.inserted, found.deleted, found.updated)])
    if found.repeated_before or found.repeated_after:
        counts = f"{found.repeated_before} before, {found.repeated_after} after"
        paper.line(
            f"Rows whose key comes again later ({counts}) were passed over: a key's last row counts.", style="dim"
        )
    if found.columns:
        paper.table(("column", "updated rows"), list(found.columns.items()))
    shown = [
        ("updated", cell(one.key), ", ".join(f"{c}: {cell(one.before[c])} → {cell(one.after[c])}" for c in one.before))
        for one in found.examples_updated
    ]
    for sort, examples in (("inserted", found.examples_inserted), ("deleted", found.examples_deleted)):
        for row in examples:
            others = {column: value for column, value in row.items() if column not in found.key}
            shown.append((sort, cell({column: row[column] for column in found.key}), cell(others)))
    if shown:
        paper.table(("for example", "key", "values"), shown)


def _distributions(paper: Paper, columns: Any) -> None:
    paper.title("Values")
    rows = [
        (
            one.name,
            one.reading,
            one.stability,
            f"{one.before.null_share:.1%} → {one.after.null_share:.1%}",
            _middle(one.kind, one.before),
            _middle(one.kind, one.after),
        )
        for one in sorted(columns, key=lambda one: -(one.stability or 0))
    ]
    paper.table(("column", "is", "stability", "nulls", "before", "after"), rows)


def _middle(kind: str, values: Any) -> str:
    """A column's values in a few words."""
    if values.quantiles:
        least, _, half, _, greatest = values.quantiles
        return f"{cell(least)} … {cell(half)} … {cell(greatest)}"
    if kind == "category" and values.shares:
        return ", ".join(f"{value} {share:.0%}" for value, share in list(values.shares.items())[:3])
    return "–" if values.distinct is None else f"{values.distinct} distinct"
