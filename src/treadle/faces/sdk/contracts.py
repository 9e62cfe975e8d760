"""A contract inside a step: the rows that keep it. What lands in a dataset is judged at its gate instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.ground.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from treadle.wire.odcs import Contract


class TableNotInContract(InvalidInput):
    """The contract does not describe the table that it is asked about."""

    code = "contracts.table_not_in_contract"


def table_of(contract: Contract, table: str | None, source: str) -> str:
    """The table that is meant: the only one, where none is named. Raises TableNotInContract."""
    names = [one.name for one in contract.schema]
    name = table or (names[0] if len(names) == 1 else "")
    if name not in names:
        raise TableNotInContract(
            f"{source} does not say which of its tables is meant." if not name else f"{source} has no table {name!r}.",
            why=did_you_mean(name, names),
            fix="Name one: table=…",
        )
    return name


def conforming(rows: pl.DataFrame, contract: str | os.PathLike[str], *, table: str | None = None) -> pl.DataFrame:
    """The rows that keep every rule of a contract (ODCS v3 YAML), in their order; how many do not is printed, by rule.

    table: which table of the contract is meant, where it describes several. Rules about the table as a whole, and about
    other datasets, are left to the gate of a dataset. Declare the file, `td.file(…)`, so that the step runs again when
    the contract changes.
    Raises InvalidContract, RuleRefused, TableNotInContract.
    """
    from treadle.systems.prepare.checking import Session
    from treadle.systems.prepare.compiling import compile_rules
    from treadle.systems.prepare.rules import RowRule, UniqueRule
    from treadle.wire.odcs import decode

    described = decode(Path(contract).read_text(encoding="utf-8"), source=str(contract))
    name = table_of(described, table, str(contract))
    rules = [rule for rule in compile_rules(described, name, rows.schema) if isinstance(rule, RowRule | UniqueRule)]
    session = Session(rules, refusing=True)
    kept, refused = session.judge(rows)
    if refused.height:
        broken = ", ".join(f"{result.rule} {result.failed}" for result in session.results() if result.failed)
        print(f"{refused.height} of {rows.height} rows of {name} break the contract: {broken}")  # noqa: T201
    return kept
