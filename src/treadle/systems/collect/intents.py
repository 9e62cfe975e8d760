"""Landings that have begun and not come to their end; apart from the other rows, since asking for them needs no Polars."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.kernel.store import Reader, Statements

sql = Statements(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A landing that has not come to its end."""

    id: str
    dataset: str
    owner: str
    lease_until: int
    is_planned: bool


def intents(reader: Reader, project: str, dataset: str | None = None) -> list[Intent]:
    """The landings that have not come to their end, oldest first."""
    values = {"project": project}
    rows = (
        reader.all(sql.intents, values)
        if dataset is None
        else reader.all(sql.intents_of, values | {"dataset": dataset})
    )
    return [
        Intent(id=id, dataset=name, owner=owner, lease_until=until, is_planned=bool(planned))
        for id, name, owner, until, planned in rows
    ]
