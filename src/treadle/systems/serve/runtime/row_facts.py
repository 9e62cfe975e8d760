"""What a caller may say about its rows beside the model's inputs: whom, when, and how old the features are.

`entity` is the key by which the truth is joined later (a flight's number and day, a customer). `event_at` is the time of
which a prediction speaks, where it is not now; only endpoints that allow backdating take it. `feature_as_of` is the
moment up to which the features knew the world. Each may come per row, or once for all rows as a parameter. `features` is
said once for the whole request: the digest of the frame that its vectors were taken from, so that they can be explained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.ground import digests
from treadle.ground.clock import to_micros
from treadle.systems.serve.runtime.errors import WrongInput
from treadle.systems.serve.runtime.log.records import Keyed
from treadle.systems.serve.runtime.signature import ENTITY, EVENT_AT, FEATURE_AS_OF, FEATURES
from treadle.wire.oip import Tensor


@dataclass(slots=True)
class RowFacts:
    """One list entry a row, or None where the caller said nothing. Times are whole microseconds since 1970, UTC."""

    entity: list[str] | None = None
    event_at: list[int] | None = None
    feature_as_of: list[int] | None = None
    unit: str | None = None
    """The sticky unit of a traffic split, when the whole request belongs to one."""
    features: str | None = None
    """The digest of the frame that the vectors were taken from."""
    keyed: Keyed | None = None
    """What the server read the vectors from."""

    def rows(self, at: Sequence[int]) -> RowFacts:
        """The facts of some of the rows."""
        return RowFacts(
            _some(self.entity, at),
            _some(self.event_at, at),
            _some(self.feature_as_of, at),
            self.unit,
            self.features,
            None if self.keyed is None else self.keyed.rows(at),
        )


def facts_of_tensors(tensors: Mapping[str, Tensor], parameters: Mapping[str, Any], rows: int) -> RowFacts:
    """The facts in a request of the protocol: from the reserved tensors, else from parameters of the same name."""
    if len(tensors) == 0 and not parameters:
        return RowFacts()
    given = {}
    for name in (ENTITY, EVENT_AT, FEATURE_AS_OF):
        tensor = tensors.get(name)
        if tensor is not None:
            if tensor.shape not in ((rows,), (rows, 1)):
                raise WrongInput(f"Input {name!r} has shape {list(tensor.shape)}, but there are {rows} rows.")
            if tensor.nulls is not None:
                raise WrongInput(f"Input {name!r} may not be null.")
            given[name] = tensor.values if isinstance(tensor.values, list) else tensor.values.tolist()
        elif name in parameters:
            given[name] = parameters[name]
    return make_facts(given, parameters.get("unit"), rows, features=parameters.get(FEATURES))


def make_facts(given: Mapping[str, Any], unit: Any, rows: int, *, features: Any = None) -> RowFacts:
    """Checked facts. given: under each name a list with an entry a row, or one value for all rows. Raises WrongInput."""
    if unit is not None and not isinstance(unit, str | int):
        raise WrongInput("The parameter 'unit' is a string or a whole number.")
    return RowFacts(
        entity=_each(given, ENTITY, rows, _entity),
        event_at=_each(given, EVENT_AT, rows, moment_micros),
        feature_as_of=_each(given, FEATURE_AS_OF, rows, moment_micros),
        unit=None if unit is None else str(unit),
        features=None if features is None else _digest(features),
    )


def _digest(value: Any) -> str:
    if isinstance(value, str) and digests.is_digest(value):
        return value
    raise WrongInput(
        f"{FEATURES!r}: {value!r} is no digest.",
        fix="Send the digest of the frame that the vectors were taken from: sha256: and 64 hexadecimal digits.",
    )


def _each(given: Mapping[str, Any], name: str, rows: int, read: Any) -> list[Any] | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        return [read(value, name)] * rows
    if len(value) != rows:
        raise WrongInput(f"{name!r} has {len(value)} entries, but there are {rows} rows.")
    return [read(entry, name) for entry in value]


def _entity(value: Any, name: str) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise WrongInput(f"{name!r}: the bytes are no UTF-8.") from None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise WrongInput(f"{name!r}: {value!r} is no key.", fix="Send strings or whole numbers.")


def moment_micros(value: Any, name: str) -> int:
    """Microseconds since 1970 of a whole number of them, or of ISO 8601 text with an offset. Raises WrongInput."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 253_402_300_800_000_000:
            raise WrongInput(f"{name!r}: {value} microseconds since 1970 is no time before the year 10000.")
        return value
    if isinstance(value, str):
        try:
            return to_micros(datetime.fromisoformat(value))
        except ValueError:
            pass
    raise WrongInput(
        f"{name!r}: {value!r} is no time.",
        fix='Send microseconds since 1970 as a whole number, or text with an offset, as "2013-04-01T06:00:00+00:00".',
    )


def _some(values: list[Any] | None, at: Sequence[int]) -> list[Any] | None:
    return None if values is None else [values[row] for row in at]
