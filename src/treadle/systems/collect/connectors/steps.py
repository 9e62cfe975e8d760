"""Steps: a source that reads forward says after each piece where it stands, and each piece lands exactly once.

The cursor of such a source is the number of the step and the place that it has reached. The number is the batch's key: of two
processes that read from the same place, one lands step n, and the other is told so and goes on from the cursor that the
first one left. A step lands in one transaction with its cursor, so a kill leaves both or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import polars as pl

from treadle.ground.digests import canonical_json
from treadle.systems.collect.connectors.errors import PositionLost
from treadle.systems.collect.records import Batch, Malformed

Known = Callable[[], Mapping[str, str]]
"""The types of the dataset's columns as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of a source. `at`: where the source stands after it, as JSON; never a credential.

    replaces: whether its rows are all that the source has, in place of what was landed before.
    """

    frames: Iterable[pl.DataFrame]
    at: Any
    origin: Mapping[str, Any] = field(default_factory=dict)
    malformed: Iterable[Malformed] = ()
    replaces: bool = False


class Reader(Protocol):
    """Reads forward from a place."""

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        """What comes after a place (None: from the beginning), as it comes.

        When the next step is asked for, the one before it has landed for good: that is the time to acknowledge it.
        """


class _Place(msgspec.Struct, frozen=True):
    n: int
    at: Any = None


class SteppedSource:
    """A reader as a source of landings."""

    def __init__(self, name: str, reader: Reader, types: Mapping[str, str] | None = None) -> None:
        self.name, self.reader = name, reader
        self.types = dict(types or {})

    def batches(self, cursor: str | None, seen: Callable[[str], bool], known: Known) -> Iterator[Batch]:
        """What is new since the cursor. Raises PositionLost for a cursor of another kind of source."""
        place = self._place(cursor)
        for step in self.reader.steps(place.at, lambda: {**known(), **self.types}):
            place = _Place(place.n + 1, step.at)
            yield Batch(
                frames=step.frames,
                key=f"{self.name}#{place.n}",
                cursor=canonical_json({"n": place.n, "at": place.at}).decode(),
                malformed=step.malformed,
                origin=step.origin,
                follows=True,
                replaces=step.replaces,
            )

    def _place(self, cursor: str | None) -> _Place:
        if cursor is None:
            return _Place(0)
        try:
            return msgspec.json.decode(cursor, type=_Place)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise PositionLost(
                f"The cursor of {self.name!r} was written by another kind of source.",
                why=f"It reads {cursor[:80]!r}.",
                fix="Give this source a name of its own.",
            ) from error
