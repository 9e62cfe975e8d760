"""How a contract says that its dataset is watched: custom properties named `anomalies`, of the table and of columns.

schema:
  - name: flights
    customProperties:
      - property: anomalies
        value: {sensitivity: high, mute: [arrival], warmUpLandings: 30}
    properties:
      - name: tailnum
        customProperties: [{property: anomalies, value: {mute: [distinct]}}]
      - name: note
        customProperties: [{property: anomalies, value: false}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.anomalies.records import KINDS, WARM_UP, Watch
from treadle.systems.prepare.errors import WatchRefused
from treadle.wire.odcs import Contract

PROPERTY = "anomalies"
SENSITIVITIES = {"low": 0.3, "normal": 1.0, "high": 3.0}
"""Words for false alarms in 100 landings."""

_OF_TABLE = ("sensitivity", "falseAlarmsPer100Landings", "warmUpLandings", "mute")


def watch_of(contract: Contract | None, dataset: str) -> Watch:
    """How a dataset is watched; as by default where no contract says otherwise. Raises WatchRefused."""
    table = None if contract is None else contract.table(dataset)
    if table is None:
        return Watch()
    said = _value(table.custom_properties)
    columns: dict[str, frozenset[str]] = {}
    for column in table.properties:
        own = _value(column.custom_properties)
        if own is False:
            columns[column.name] = frozenset()
        elif own is not None and own is not True:
            columns[column.name] = _kinds(
                _mapping(own, f"column {column.name}", ("mute",)).get("mute", []), column.name
            )
    if said is False:
        return Watch(is_on=False, muted_columns=columns)
    options = {} if said in (None, True) else _mapping(said, dataset, _OF_TABLE)
    return Watch(
        false_alarms=_rate(options, dataset),
        warm_up=_warm_up(options, dataset),
        muted=_kinds(options.get("mute", []), dataset),
        muted_columns=columns,
    )


def _value(properties: Sequence[Any] | None) -> Any:
    return next((one.value for one in properties or () if one.property == PROPERTY), None)


def _mapping(value: Any, place: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise WatchRefused(
            f"The property 'anomalies' of {place} is {value!r}.",
            fix=f"Write false, or a mapping of {', '.join(known)}.",
        )
    for name in value:
        if name not in known:
            raise WatchRefused(
                f"The property 'anomalies' of {place} has no {name!r}.",
                why=did_you_mean(str(name), known),
                fix=f"It has: {', '.join(known)}.",
            )
    return value


def _kinds(value: Any, place: str) -> frozenset[str]:
    kinds = [value] if isinstance(value, str) else value
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in KINDS:
            raise WatchRefused(
                f"'mute' of {place} names {kind!r}, which is no kind of anomaly.",
                why=did_you_mean(str(kind), KINDS),
                fix=f"The kinds are: {', '.join(KINDS)}.",
            )
    return frozenset(kinds)


def _rate(options: Mapping[str, Any], place: str) -> float:
    word = options.get("sensitivity", "normal")
    if word not in SENSITIVITIES:
        raise WatchRefused(f"'sensitivity' of {place} is {word!r}.", fix="Write low, normal or high.")
    rate = options.get("falseAlarmsPer100Landings", SENSITIVITIES[word])
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.0 < rate <= 50.0:
        raise WatchRefused(
            f"'falseAlarmsPer100Landings' of {place} is {rate!r}.", fix="Write a number above 0 and at most 50."
        )
    return float(rate)


def _warm_up(options: Mapping[str, Any], place: str) -> int:
    landings = options.get("warmUpLandings", WARM_UP)
    if isinstance(landings, bool) or not isinstance(landings, int) or not 8 <= landings <= 100:
        raise WatchRefused(f"'warmUpLandings' of {place} is {landings!r}.", fix="Write a whole number from 8 to 100.")
    return landings
