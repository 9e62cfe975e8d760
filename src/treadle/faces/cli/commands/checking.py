"""`treadle contracts check`: rows of a dataset or of a file, judged by a contract."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from treadle.faces.cli.commands.contracts import read_contract
from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong, read_time
from treadle.ground.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.systems.prepare.inspecting import Surroundings
    from treadle.systems.prepare.records import FailingRow, QualityReport
    from treadle.wire.odcs import Contract

What = Annotated[
    list[str], "DATASET[@AT], by its published contract; or FILE and what it is asked of: a dataset, a file"
]


class RulesFileBroken(InvalidInput):
    """A file of Python rules cannot be run."""

    code = "cli.rules_file_broken"


def check(
    session: Session,
    what: What,
    *,
    table: Annotated[str | None, "which table of the contract, where it has several"] = None,
    now: Annotated[str | None, "the present that freshness is measured against (default: now)"] = None,
    rows: Annotated[bool, "show failing rows, with their ids and values"] = False,
    rule: Annotated[str | None, "only failing rows of this rule"] = None,
    limit: Annotated[int, "at most so many failing rows"] = 20,
    rows_to: Annotated[Path | None, "write every failing row of a file to this file (.parquet, .csv)"] = None,
    beside: Annotated[
        list[str] | None,
        Option("rows that references point at, when a file is checked; repeat it", metavar="DATASET=FILE"),
    ] = None,
    before: Annotated[Path | None, "earlier rows that distributions are compared with, when a file is checked"] = None,
    python: Annotated[Path | None, "a file of yours whose @td.rule functions the contract names"] = None,
    strict: Annotated[bool, "warnings count as failures"] = False,
) -> int:
    """Judges rows by a contract. Exit code 1 when a rule of severity error does not hold. Nothing is refused.

    `check flights` judges the newest snapshot by the published contract and keeps the report; `check flights@12` an earlier
    one. `check contract.odcs.yaml flights` tries a file on the same rows, and `check contract.odcs.yaml flights.parquet`
    works without any store.
    """
    if python is not None:
        _run_rules(python)
    if len(what) not in (1, 2):
        raise UsageWrong(
            "check takes a dataset, or a contract and what it is asked of.", fix="See: treadle contracts check --help"
        )
    moment = read_time(now)
    if len(what) == 2 and _is_file(what[1]):
        report, failing = _of_file(
            session, what, table, moment, beside or [], before, rows=rows, rule=rule, limit=limit, rows_to=rows_to
        )
    elif rows_to is not None or beside or before:
        raise UsageWrong(
            "--rows-to, --beside and --before belong to a file that is checked.",
            fix="Of a dataset: --rows --limit N --json",
        )
    else:
        report, failing = _of_dataset(session, what, moment, rows=rows, rule=rule, limit=limit)
    shown: Any = {"report": report, "failing": failing} if rows else report
    session.out.show(shown, lambda paper: draw_report(paper, report, failing))
    is_bad = not report.passed or (
        strict and any(not one.passed and one.severity == "warning" for one in report.results)
    )
    return int(is_bad)


def draw_report(paper: Paper, report: QualityReport, failing: Sequence[FailingRow]) -> None:
    """The rules with what each found, then failing rows."""
    lines = [
        (
            "not asked" if one.skipped else "held" if one.passed else "failed",
            one.rule,
            one.skipped or one.description,
            one.severity,
            one.failed if one.observed is None else None,
            cell(one.observed),
        )
        for one in report.results
    ]
    paper.table(("", "rule", "in words", "severity", "rows", "measured"), lines, empty="The contract has no rules.")
    if failing:
        paper.line()
        rows = [(one.id or f"row {one.row}", one.rule, cell(one.values)) for one in failing]
        paper.table(("row", "fails", "values"), rows)
    paper.line()
    facts = {"report": report.id or None, "snapshot": report.snapshot, "rows": report.rows, "passed": report.passed}
    paper.sheet({name: value for name, value in facts.items() if value is not None})


def _of_dataset(
    session: Session, what: Sequence[str], now: datetime | None, *, rows: bool, rule: str | None, limit: int
) -> tuple[QualityReport, list[FailingRow]]:
    dataset, _, at = what[-1].partition("@")
    contracts, text = session.client.contracts, None
    if len(what) == 2:
        text = read_contract(Path(what[0]))
        report = contracts.try_out(dataset=dataset, text=text, at=at or None, now=now)
    elif session.settings.server:
        report = contracts.check(dataset=dataset, at=at or None, now=now)
    else:
        from treadle.systems.prepare.records import CheckDataset

        request, workspace = CheckDataset(dataset=dataset, at=at or None, now=now), session.workspace
        report = workspace.contracts.judge(workspace.caller, request, session.out.counting("rows judged"))
    if not rows:
        return report, []
    return report, contracts.failing_rows(dataset=dataset, at=at or None, text=text, rule=rule, limit=limit, now=now)


def _of_file(
    session: Session, what: Sequence[str], table: str | None, now: datetime | None, beside: Sequence[str], before: Path | None,
    *, rows: bool, rule: str | None, limit: int, rows_to: Path | None,
) -> tuple[QualityReport, list[FailingRow]]:  # fmt: skip
    from treadle.systems.prepare.failing_rows import FailingRows
    from treadle.systems.prepare.local_files import scan_file
    from treadle.systems.prepare.reporting import failing_rows, report_of
    from treadle.wire.odcs import decode

    contract = decode(read_contract(Path(what[0])), source=what[0])
    name = _table(contract, table, Path(what[1]).name.partition(".")[0])
    data = scan_file(Path(what[1]), contract.table(name))
    around = _around(now, beside, before)
    with FailingRows() as failing:
        sink = failing if rows_to is not None else None
        report = report_of(contract, name, data, around, sink, progress=session.out.counting("rows judged"))
        if rows_to is not None:
            lines = failing.lazy().drop("id")
            lines.sink_csv(rows_to) if rows_to.suffix == ".csv" else lines.sink_parquet(rows_to)
    found = failing_rows(contract, name, data, around, rule=rule, limit=limit) if rows else []
    return report, found


def _around(now: datetime | None, beside: Sequence[str], before: Path | None) -> Surroundings:
    from treadle.systems.prepare.inspecting import Surroundings
    from treadle.systems.prepare.local_files import scan_file

    others = {}
    for pair in beside:
        dataset, sign, path = pair.partition("=")
        if not sign:
            raise UsageWrong(f"{pair!r} names no file.", fix="--beside planes=planes.parquet")
        others[dataset] = scan_file(Path(path))
    earlier = None if before is None else scan_file(before)
    return Surroundings(now=now or datetime.now(UTC), lookup=others.get, earlier=lambda at: earlier)


def _table(contract: Contract, asked: str | None, stem: str) -> str:
    names = [one.name for one in contract.schema]
    if asked is not None:
        return asked
    if len(names) == 1 or stem not in names:
        if len(names) != 1:
            raise UsageWrong(
                f"The contract has {len(names)} tables.", why=f"They are: {', '.join(names)}", fix="Name one: --table"
            )
        return names[0]
    return stem


def _is_file(word: str) -> bool:
    from treadle.systems.prepare.local_files import KINDS

    return Path(word).suffix.lower() in KINDS


def _run_rules(path: Path) -> None:
    """Runs a file that the person at the keyboard named, as `python FILE` would; a contract can name none."""
    try:
        runpy.run_path(str(path), run_name="treadle_rules")
    except Exception as error:  # the user's own code may fail in any way
        raise RulesFileBroken(f"The rules in {path} cannot be read.", why=f"{type(error).__name__}: {error}") from error
