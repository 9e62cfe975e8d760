"""`treadle quarantine`: the rows that were refused, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from treadle.faces.cli.rendering import Paper, cell, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

if TYPE_CHECKING:
    from treadle.systems.prepare.records import QuarantinedRow

Dataset = Annotated[str, "the dataset"]
Rows = Annotated[list[str] | None, "row ids, as `treadle quarantine list` prints them (else: what the options say)"]
Rule = Annotated[str | None, "rows that this rule refused"]
Landing = Annotated[str | None, "rows of this landing"]
Where = Annotated[str | None, Option("rows of which this is true, in SQL over their columns", metavar="SQL")]
Every = Annotated[bool, "every row that is held"]
Reason = Annotated[str, "why, for those who come later"]
Waive = Annotated[list[str] | None, Option("a rule that does not hold these rows back; repeat it", metavar="RULE")]

_PAGE = 5_000


def list_all(
    session: Session,
    dataset: Dataset,
    *,
    state: Annotated[str | None, "held, released, mended, discarded, cleaned, or all"] = "held",
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
    limit: Annotated[int, "at most so many"] = 100,
    after: Annotated[str | None, "go on after this row"] = None,
) -> None:
    """Refused rows of a dataset, the oldest first, with the rules that refused them."""
    found = session.client.quarantine.list(
        dataset=dataset, state=state, rule=rule, landing=landing, where=where, limit=limit, after=after
    )

    def draw(paper: Paper) -> None:
        paper.table(
            ("row", "state", "rules", "values"),
            [(one.id, one.state, cell(one.rules), one.raw or cell(one.values)) for one in found.rows],
            empty="No such rows.",
        )
        paper.line()
        counts = {name: getattr(found, name) for name in ("held", "released", "mended", "discarded")}
        paper.sheet({**counts, "cleaned anew": found.cleaned or None, "held by rule": cell(found.by_rule) or None})
        if found.next is not None:
            paper.line(f"{len(found.rows)} of {found.matching}; go on with --after {found.next}", style="dim")

    session.out.show(found, draw)


def show(session: Session, dataset: Dataset, row: Annotated[str, "the row's id"]) -> None:
    """One refused row: its values, the rules in words, the landing that brought it, and what was decided."""
    found = session.client.quarantine.show(dataset=dataset, row=row)

    def draw(paper: Paper) -> None:
        paper.sheet({name: value for name, value in found.row.values.items() if value is not None})
        paper.line()
        rules = [(one.id, one.kind, one.text) for one in found.rules]
        paper.table(("refused by", "kind", "which says"), rows=rules)
        paper.line()
        paper.sheet(
            {
                "row": found.row.id,
                "as it came": found.row.raw,
                "state": found.row.state,
                "decided by": found.row.actor,
                "reason": found.row.reason,
                "decided": found.decided_at,
                "landed back in": found.release,
                "landing": found.landing,
                "refused": found.refused_at,
                "contract": None if found.contract is None else short_digest(found.contract),
                "version": found.contract_version,
                "run": found.run,
            }
        )

    session.out.show(found, draw)


def mend(
    session: Session,
    dataset: Dataset,
    rows: Rows = None,
    *,
    reason: Reason = "",
    set: Annotated[
        list[str] | None, Option("a new value, as SQL over the row's own; repeat it", metavar="COLUMN=SQL")
    ] = None,
    value: Annotated[list[str] | None, Option("a new value; repeat it", short="m", metavar="COLUMN=VALUE")] = None,
    clean: Annotated[bool, "by the cleaning that the contract declares"] = False,
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
    all: Every = False,
    waive: Waive = None,
    dry_run: Annotated[bool, "say what would come of it, and change nothing"] = False,
) -> int:
    """Mends rows, all in the same way, and lets those back that now pass the same rules. Exit code 1 when some do not."""
    asked: dict[str, Any] = {
        "dataset": dataset, "rows": rows or [], "rule": rule, "landing": landing, "where": where, "every": all,
        "values": dict(read_mend(pair) for pair in value or ()), "set": dict(_pair(pair) for pair in set or ()),
        "clean": clean, "waived": waive or [], "reason": reason,
    }  # fmt: skip
    if dry_run:
        found = session.client.quarantine.try_mend(**asked)

        def draw(paper: Paper) -> None:
            columns = [name for one in found.rows[:1] for name in one.after]
            table = [
                (one.id, *(_move(one.before.get(name), one.after[name]) for name in columns)) for one in found.rows
            ]
            paper.table(("row", *columns), table, empty="No row would pass.")
            paper.line()
            paper.sheet(
                {"would pass": found.passing, "still held": found.still_held, "by": cell(found.by_rule) or None}
            )

        session.out.show(found, draw)
        return int(bool(found.still_held))
    if not reason:
        raise UsageWrong("Mending rows needs a reason.", fix='--reason "a comma was lost"')
    done = session.client.quarantine.mend(**asked)
    return _released(session, dataset, done)


def release(
    session: Session,
    dataset: Dataset,
    rows: Rows = None,
    *,
    reason: Annotated[str, "why they are right"],
    mend: Annotated[
        list[str] | None, Option("a new value in all of these rows; repeat it", short="m", metavar="COLUMN=VALUE")
    ] = None,
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
    all: Every = False,
    waive: Waive = None,
) -> int:
    """Lets rows back into their dataset, as they are or mended, if they now pass. Exit code 1 when some do not."""
    values = dict(read_mend(pair) for pair in mend or ())
    if values and not rows:
        raise UsageWrong(
            "New values are for rows that are named.", fix="treadle quarantine mend mends many rows at once."
        )
    done = session.client.quarantine.release(
        dataset=dataset, rows=rows or [], rule=rule, landing=landing, where=where, every=all, reason=reason,
        mended=dict.fromkeys(rows or [], values) if values else {},
        waived=dict.fromkeys(rows or ["*"], waive) if waive else {},
    )  # fmt: skip
    return _released(session, dataset, done)


def discard(
    session: Session,
    dataset: Dataset,
    rows: Rows = None,
    *,
    reason: Annotated[str, "why they are given up"],
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
    all: Every = False,
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Gives rows up. They stay in the quarantine's own dataset, and the reason with them."""
    said = f"{len(rows)} rows" if rows else "all rows that are meant"
    session.confirm(f"Give up {said} of {dataset}?", yes=yes)
    done = session.client.quarantine.discard(
        dataset=dataset, rows=rows or [], rule=rule, landing=landing, where=where, every=all, reason=reason
    )
    session.out.show(done, lambda paper: paper.line(f"{done.held} rows of {dataset} are still held."))


def reopen(
    session: Session,
    dataset: Dataset,
    rows: Rows = None,
    *,
    reason: Reason,
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
    all: Annotated[bool, "every row that was given up"] = False,
) -> None:
    """Holds rows again that were given up."""
    done = session.client.quarantine.reopen(
        dataset=dataset, rows=rows or [], rule=rule, landing=landing, where=where, every=all, reason=reason
    )
    session.out.show(done, lambda paper: paper.line(f"{done.held} rows of {dataset} are held."))


def export(
    session: Session,
    dataset: Dataset,
    file: Annotated[Path, "where to write: .csv, .jsonl or .parquet"],
    *,
    state: Annotated[str | None, "held, released, mended, discarded, cleaned, or all"] = "held",
    rule: Rule = None,
    landing: Landing = None,
    where: Where = None,
) -> None:
    """Writes refused rows into a file, with their ids and rules, so that they can be worked on elsewhere."""
    if file.suffix not in (".csv", ".jsonl", ".parquet"):
        raise UsageWrong(
            f"{file.name!r} is no file that can be written.", fix="Give it the suffix .csv, .jsonl or .parquet."
        )
    asked = {"dataset": dataset, "state": state, "rule": rule, "landing": landing, "where": where}
    count = _write(file, list(_every_row(session, asked)))
    session.out.show(
        {"file": str(file), "rows": count}, lambda paper: paper.line(f"{count} rows of {dataset} are in {file}.")
    )


def _every_row(session: Session, asked: dict[str, Any]) -> Iterator[QuarantinedRow]:
    after = None
    while True:
        page = session.client.quarantine.list(**asked, limit=_PAGE, after=after)
        yield from page.rows
        after = page.next
        if after is None:
            return


def _write(file: Path, rows: list[QuarantinedRow]) -> int:
    import polars as pl

    columns = list(dict.fromkeys(name for row in rows for name in row.values))
    table = pl.DataFrame(
        {
            "_id": [row.id for row in rows],
            "_state": [row.state for row in rows],
            "_rules": [row.rules for row in rows],
            "_raw": pl.Series([row.raw for row in rows], dtype=pl.String),
            **{name: [row.values.get(name) for row in rows] for name in columns},
        },
        strict=False,
    )
    if file.suffix == ".parquet":
        table.write_parquet(file)
    elif file.suffix == ".jsonl":
        table.write_ndjson(file)
    else:
        table.with_columns(pl.col("_rules").list.join(" ")).write_csv(file)
    return len(rows)


def _released(session: Session, dataset: str, done: Any) -> int:
    def draw(paper: Paper) -> None:
        paper.line(f"{done.n_released} rows are back in {dataset}.")
        if done.still_held:
            shown = list(done.still_held.items())[:20]
            paper.table(("still held", "rules"), [(row, cell(rules)) for row, rules in shown])
        if done.n_still_held > 20:
            paper.line(f"and {done.n_still_held - 20} more; treadle quarantine list {dataset}", style="dim")

    session.out.show(done, draw)
    return int(bool(done.n_still_held))


def _move(before: object, after: object) -> str:
    return cell(after) if before == after else f"{cell(before)} → {cell(after)}"


def _pair(pair: str) -> tuple[str, str]:
    column, sign, text = pair.partition("=")
    if not sign or not column:
        raise UsageWrong(f"{pair!r} mends nothing.", why="It is written COLUMN=VALUE.", fix="-m wind_speed=10.5")
    return column, text


def read_mend(pair: str) -> tuple[str, Any]:
    """A column and its new value, read as JSON where it is some. Raises UsageWrong."""
    column, text = _pair(pair)
    try:
        return column, json.loads(text)
    except json.JSONDecodeError:
        return column, text
