"""From a contract to the steps of cleaning: where they are declared, in which order, under which names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.cleaning.steps import KINDS, AnyStep, Cast, ColumnStep, Fill, Time, Unit, kind_of
from treadle.systems.prepare.errors import CleaningRefused
from treadle.wire.odcs import ENGINE, Contract, Quality, SchemaObject, implementation_of

MARK = "clean"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One step under a name that no other step of its contract has."""

    id: str
    step: AnyStep
    severity: str = "error"
    description: str = ""

    @property
    def kind(self) -> str:
        return kind_of(self.step)


def declared_steps(contract: Contract, dataset: str) -> list[Declared]:
    """The steps that a contract declares for a table, in the order in which they are carried out.

    First those below the properties, in the contract's order, then those below the table; `order` moves a step. Raises
    CleaningRefused for a step that cannot be carried out as it is written.
    """
    table = contract.table(dataset)
    if table is None:
        raise CleaningRefused(
            f"The contract {contract.id!r} says nothing of {dataset!r}.",
            why=did_you_mean(dataset, [one.name for one in contract.schema]),
        )
    found = sorted(_of_table(table), key=lambda one: one.step.order)
    return _with_names_of_their_own(found)


def is_cleaning(quality: Quality) -> bool:
    """Whether an entry of a contract's quality cleans, and asks nothing."""
    return quality.type == "custom" and quality.engine == ENGINE and MARK in implementation_of(quality)


def _of_table(table: SchemaObject) -> Iterator[Declared]:
    for column in table.properties:
        for quality in column.quality or []:
            if is_cleaning(quality):
                yield _declared(quality, column.name)
    for quality in table.quality or []:
        if is_cleaning(quality):
            yield _declared(quality, None)


def _declared(quality: Quality, column: str | None) -> Declared:
    step = read_step(implementation_of(quality), column)
    place = column or ("+".join(step.columns) if step.columns else "table")
    return Declared(
        id=step.name or quality.id or quality.name or f"{place}.{kind_of(step)}",
        step=step,
        severity=quality.severity or "error",
        description=quality.description or "",
    )


def read_step(implementation: Mapping[str, Any], column: str | None) -> AnyStep:
    """One step from its mapping. Raises CleaningRefused with what is wrong and where."""
    kind = implementation.get(MARK)
    if kind not in KINDS:
        raise CleaningRefused(
            f"There is no cleaning called {kind!r}.",
            why=did_you_mean(str(kind), KINDS),
            fix=f"Choose one of: {', '.join(KINDS)}.",
        )
    try:
        step: AnyStep = msgspec.convert(dict(implementation), AnyStep)
    except msgspec.ValidationError as error:
        raise CleaningRefused(
            f"The cleaning {kind!r} cannot be carried out as it is written.", why=str(error)
        ) from error
    if column is not None and not step.columns:
        step = msgspec.structs.replace(step, columns=[column])
    _check(step)
    return step


def _check(step: AnyStep) -> None:
    kind = kind_of(step)
    if isinstance(step, get_args(ColumnStep)) and not step.columns:
        raise CleaningRefused(
            f"The cleaning {kind!r} does not say which columns it is about.",
            fix="Write it below a property, or name them: columns: [a, b].",
        )
    if isinstance(step, Fill):
        _check_fill(step)
    if isinstance(step, Cast | Unit | Time) and step.otherwise == "keep":
        raise CleaningRefused(
            f"The cleaning {kind!r} cannot keep a value that it could not read.",
            why="The column holds another type, or another unit, afterwards.",
            fix="Write otherwise: quarantine, or otherwise: null.",
        )
    if isinstance(step, Unit) and (step.source is None) == (step.source_column is None):
        raise CleaningRefused(
            "A conversion of units says in which unit the values are.",
            fix="Give 'from', or 'from_column' when every row says its own.",
        )


def _check_fill(step: Fill) -> None:
    if (step.fit is None) == (step.value is None):
        raise CleaningRefused("A filling has a 'value' or a 'fit', and not both.", fix="Give one of the two.")
    if step.fit == "previous" and step.time is None:
        raise CleaningRefused(
            "The previous value is asked for, and nothing says what comes before what.",
            fix="Name the column of time: time: observed_at",
        )
    if step.fit == "previous" and step.at is not None:
        raise CleaningRefused("The previous value is one of the rows themselves, and not of another snapshot.")


def _with_names_of_their_own(steps: list[Declared]) -> list[Declared]:
    seen: dict[str, int] = {}
    named = []
    for one in steps:
        seen[one.id] = seen.get(one.id, 0) + 1
        named.append(one if seen[one.id] == 1 else dataclasses.replace(one, id=f"{one.id}#{seen[one.id]}"))
    return named
