"""`treadle contracts` and `treadle quarantine`: what clean is, and the rows that are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper, cell, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong
from treadle.ground.errors import NotFound

Dataset = Annotated[str, "the dataset"]
Rows = Annotated[list[str], "row ids, as `treadle quarantine list` prints them"]


class ContractFileMissing(NotFound):
    """The file of a contract cannot be read."""

    code = "cli.contract_file_missing"


def list_all(session: Session) -> None:
    """The contract of every dataset that has one."""
    contracts = session.client.contracts.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.dataset, one.version, one.status, one.rules, one.owner, short_digest(one.digest), one.recorded_at)
            for one in contracts
        ]
        columns = ("dataset", "version", "status", "rules", "owner", "digest", "since")
        paper.table(columns, rows, empty="No contracts yet: treadle contracts publish DATASET FILE")

    session.out.show(contracts, draw)


def show(session: Session, dataset: Dataset) -> None:
    """The contract that holds for a dataset, to the letter."""
    contract = session.client.contracts.get(dataset=dataset)
    session.out.show(contract, lambda paper: paper.line(contract.text.rstrip()))


def publish(
    session: Session,
    dataset: Dataset,
    file: Annotated[Path, "an Open Data Contract (ODCS v3 YAML)"],
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Makes a contract hold for what lands in a dataset from now on; rows that break it go to quarantine."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractFileMissing(f"The contract {file} cannot be read.", why=str(error)) from error
    contract = session.client.contracts.publish(dataset=dataset, text=text, reason=reason)
    said = f"Version {contract.version} holds for {dataset}: {contract.rules} rules."
    session.out.show(contract, lambda paper: paper.line(said))


def draft(session: Session, dataset: Dataset) -> None:
    """Prints a first contract, drawn from the rows that the dataset has now. Nothing is published."""
    text = session.client.contracts.init(dataset=dataset)
    session.out.show({"dataset": dataset, "text": text}, lambda paper: paper.line(text.rstrip()))


def check(
    session: Session,
    dataset: Dataset,
    *,
    at: Annotated[str | None, "a version, a tag, a snapshot's id or a time (default: the newest)"] = None,
) -> int:
    """Judges a snapshot by the dataset's contract. Exit code 1 when it does not pass. Nothing is refused."""
    report = session.client.contracts.check(dataset=dataset, at=at)

    def draw(paper: Paper) -> None:
        rows = [
            (
                "passed" if one.passed else "failed",
                one.rule,
                one.dimension,
                one.severity,
                one.failed,
                cell(one.observed),
            )
            for one in report.results
        ]
        paper.table(("", "rule", "about", "severity", "rows", "measured"), rows, empty="The contract has no rules.")
        paper.line()
        paper.sheet({"report": report.id, "snapshot": report.snapshot, "rows": report.rows, "passed": report.passed})

    session.out.show(report, draw)
    return int(not report.passed)


def quarantined(
    session: Session,
    dataset: Dataset,
    *,
    state: Annotated[str | None, "held, released, mended, discarded"] = "held",
    rule: Annotated[str | None, "only those that this rule refused"] = None,
    limit: Annotated[int, "at most so many"] = 100,
) -> None:
    """Refused rows of a dataset, the oldest first, with the rules that refused them."""
    found = session.client.quarantine.list(dataset=dataset, state=state, rule=rule, limit=limit)

    def draw(paper: Paper) -> None:
        paper.table(
            ("row", "state", "rules", "values"),
            [(one.id, one.state, cell(one.rules), one.raw or cell(one.values)) for one in found.rows],
            empty="No such rows.",
        )
        paper.line()
        counts = {name: getattr(found, name) for name in ("held", "released", "mended", "discarded")}
        paper.sheet({**counts, "held by rule": cell(found.by_rule) or None})

    session.out.show(found, draw)


def release(
    session: Session,
    dataset: Dataset,
    rows: Rows,
    *,
    reason: Annotated[str, "why they are right"],
    mend: Annotated[
        list[str] | None, Option("a new value in all of these rows; repeat it", short="m", metavar="COLUMN=VALUE")
    ] = None,
    waive: Annotated[
        list[str] | None, Option("a rule that does not hold these rows back; repeat it", metavar="RULE")
    ] = None,
) -> int:
    """Lets rows back into their dataset, as they are or mended, if they now pass. Exit code 1 when some do not."""
    values = dict(_mended(pair) for pair in mend or ())
    mended = dict.fromkeys(rows, values) if values else {}
    waived = dict.fromkeys(rows, waive) if waive else {}
    done = session.client.quarantine.release(dataset=dataset, rows=rows, reason=reason, mended=mended, waived=waived)

    def draw(paper: Paper) -> None:
        paper.line(f"{len(done.rows)} rows are back in {dataset}.")
        if done.still_held:
            paper.table(("still held", "rules"), [(row, cell(rules)) for row, rules in done.still_held.items()])

    session.out.show(done, draw)
    return int(bool(done.still_held))


def discard(
    session: Session,
    dataset: Dataset,
    rows: Rows,
    *,
    reason: Annotated[str, "why they are given up"],
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Gives rows up. They stay in the quarantine's own dataset, and the reason with them."""
    session.confirm(f"Give up {len(rows)} rows of {dataset}?", yes=yes)
    done = session.client.quarantine.discard(dataset=dataset, rows=rows, reason=reason)
    session.out.show(done, lambda paper: paper.line(f"{done.held} rows of {dataset} are still held."))


def _mended(pair: str) -> tuple[str, Any]:
    column, sign, text = pair.partition("=")
    if not sign or not column:
        raise UsageWrong(f"{pair!r} mends nothing.", why="It is written COLUMN=VALUE.", fix="-m wind_speed=10.5")
    try:
        return column, json.loads(text)
    except json.JSONDecodeError:
        return column, text
