"""Anomalies in words: what was expected, what was seen, in which columns; one for each cause."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from treadle.systems.prepare.anomalies.expecting import Guess
from treadle.systems.prepare.anomalies.figures import Figures
from treadle.systems.prepare.anomalies.records import Anomaly, AnomalyKind, Band
from treadle.systems.prepare.anomalies.series import Basis, Check, Floats, Kind, share_of_angle

TOLD_COLUMNS = 5

_KIND_OF: dict[Kind, AnomalyKind] = {
    "volume": "volume",
    "missing": "missing",
    "empty": "empty",
    "distinct": "distinct",
    "ratio": "distinct",
    "low": "distribution",
    "centre": "distribution",
    "high": "distribution",
    "width": "distribution",
    "length": "distribution",
    "share": "categories",
    "other": "categories",
    "lag": "freshness",
}
_ORDER: tuple[AnomalyKind, ...] = ("missing", "empty", "freshness", "distribution", "categories", "distinct")
"""What explains what: a column that lost its values has fewer distinct ones too."""


def volume_anomaly(rows: int, band: Band, z: float, limit: float) -> Anomaly:
    """Another number of rows than expected."""
    expected = (
        f"{math.ceil(band.low):,} to {math.floor(band.high):,} rows" if math.isfinite(band.high) else "fewer rows"
    )
    return Anomaly(kind="volume", expected=expected, seen=f"{rows:,} rows", surprise=round(z, 2), limit=round(limit, 2))


def gap_anomaly(usual: float, latest: float, seen: float, z: float, limit: float, *, is_here: bool) -> Anomaly:
    """A landing that came late, or has not come."""
    came = f"it came after {span(seen)}" if is_here else f"nothing has come for {span(seen)}"
    expected = f"a landing after about {span(usual)}, {span(latest)} at the latest"
    return Anomaly(kind="arrival", expected=expected, seen=came, surprise=round(z, 2), limit=round(limit, 2))


def schema_anomaly(history: Sequence[Figures], figures: Figures) -> Anomaly | None:
    """Columns that are new, gone or of another type, where that is no habit of the dataset."""
    before = [seen for seen in history if seen.columns]
    if not before or not figures.columns:
        return None
    last = before[-1]
    often = {name: sum(name in seen.columns for seen in before) / len(before) for name in last.columns}
    gone = [name for name, share in often.items() if share >= 0.95 and name not in figures.columns]
    new = [name for name in figures.columns if not any(name in seen.columns for seen in before)]
    types = {name: {seen.columns[name].type for seen in before if name in seen.columns} for name in figures.columns}
    other = [
        name for name, known in types.items() if known and figures.columns[name].type not in known and len(known) < 3
    ]
    if not (gone or new or other):
        return None
    says = [f"{', '.join(names)} {what}" for names, what in ((gone, "gone"), (new, "new")) if names]
    says += [f"{name} is {figures.columns[name].type}, was {' or '.join(sorted(types[name]))}" for name in other]
    return Anomaly(kind="schema", columns=(*gone, *new, *other), expected="the columns as before", seen="; ".join(says))


def column_anomalies(basis: Basis, values: Floats, guess: Guess, z: Floats, limit: float) -> list[Anomaly]:
    """The checks of columns beyond the limit, as one anomaly of each kind; each column under the kind that explains it."""
    beyond = [k for k in np.argsort(-z) if z[k] > limit and basis.checks[k].column is not None]
    worst: dict[str, dict[AnomalyKind, int]] = {}
    for k in beyond:
        check = basis.checks[k]
        worst.setdefault(check.column or "", {}).setdefault(_KIND_OF[check.kind], int(k))
    by_kind: dict[AnomalyKind, list[int]] = {}
    for kinds in worst.values():
        kind = min(kinds, key=_ORDER.index)
        by_kind.setdefault(kind, []).append(kinds[kind])
    found = []
    for kind, places in by_kind.items():
        places.sort(key=lambda k: -z[k])
        first = places[0]
        expected, seen = _said(basis.checks[first], values, guess, limit, first, basis)
        columns = tuple(dict.fromkeys(basis.checks[k].column or "" for k in places))
        found.append(
            Anomaly(
                kind=kind,
                columns=columns,
                expected=expected,
                seen=seen,
                surprise=round(float(z[first]), 2),
                limit=round(limit, 2),
            )
        )
    return found


def _said(check: Check, values: Floats, guess: Guess, limit: float, k: int, basis: Basis) -> tuple[str, str]:
    value, middle = float(values[k]), float(guess.value[k])
    low, high = middle - limit * float(guess.scale[k]), middle + limit * float(guess.scale[k])
    width = basis.widths.get(check.column or "", 1.0)
    name = check.column or ""
    if check.kind in ("missing", "empty", "share", "other"):
        what = {
            "missing": f"missing in {name}",
            "empty": f"empty in {name}",
            "share": f"{check.value!r} in {name}",
            "other": f"values of {name} that are rare or new",
        }[check.kind]
        said = f"{percent(share_of_angle(low))} to {percent(share_of_angle(high))} {what}"
        return said, percent(share_of_angle(value))
    if check.kind in ("distinct", "ratio"):
        return f"{math.expm1(low):,.0f} to {_large(high)} different values of {name}", f"{math.expm1(value):,.0f}"
    if check.kind == "lag":
        return f"{name} at most {span(math.expm1(high))} behind", f"{span(math.expm1(value))} behind"
    if check.kind == "width":
        spread = [math.exp(min(each, 50.0)) * width for each in (low, high, value)]
        return f"{name} to spread by {spread[0]:.4g} to {spread[1]:.4g}", f"{spread[2]:.4g}"
    part = {"low": "the lowest tenth", "high": "the highest tenth", "centre": "the middle", "length": "the mean length"}
    return f"{part[check.kind]} of {name} between {low * width:.4g} and {high * width:.4g}", f"{value * width:.4g}"


def percent(share: float) -> str:
    """A share in per cent, with as many digits as it needs to be told from 0 and 100."""
    return f"{share:.0%}" if 0.095 <= share <= 0.905 or share in (0.0, 1.0) else f"{share:.2%}"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    if not math.isfinite(seconds):
        return "any time"
    for unit, size in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"


def _large(value: float) -> str:
    return f"{math.expm1(value):,.0f}" if value < 50.0 else "any number of"
