"""Gates within the rows: no slice may be served worse than before, and groups must be served alike.

Pure functions. A slice is a value of a column that the evaluation carries; each is compared row by row on both models,
and refused where it is worse for certain: of twenty slices one is "worse" by luck, so the level is divided among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from treadle.ground.stats import log_losses, normal_quantile
from treadle.loops.release.records import Finding


def slice_findings(
    columns: Mapping[str, ArrayLike],
    truth: ArrayLike,
    challenger: ArrayLike,
    champion: ArrayLike,
    *,
    allowed: float,
    certainty: float,
    min_rows: int,
) -> list[Finding]:
    """One finding a column: its worst slice, by how much its mean log loss is certainly greater than the champion's.

    columns: by name, values of shape (n,). Slices below `min_rows` rows are passed over. A slice fails where the lower end
    of the interval of its increase lies above `allowed`; the level of the interval is `certainty`, divided among all
    slices (Bonferroni).
    """
    increase = log_losses(truth, challenger) - log_losses(truth, champion)
    slices = [
        (name, value, increase[at])
        for name, values in columns.items()
        for value, at in _values(values)
        if at.size >= max(2, min_rows)
    ]
    if not slices:
        return []
    z = normal_quantile(1 - (1 - certainty) / (2 * len(slices)))
    findings = []
    for name in columns:
        judged = [(_lower(rows, z), value, rows) for of, value, rows in slices if of == name]
        if not judged:
            continue
        lower, value, rows = max(judged, key=lambda one: one[0])
        findings.append(
            Finding(
                name=f"slices of {name}",
                passed=lower <= allowed,
                found=f"log loss of {value!r} {float(rows.mean()):+.4f} on {rows.size:,} rows, at least {lower:+.4f}",
                wanted=f"no slice certainly above {allowed:+.4f}",
            )
        )
    return findings


def group_findings(
    columns: Mapping[str, ArrayLike],
    truth: ArrayLike,
    challenger: ArrayLike,
    *,
    allowed: float,
    threshold: float,
    min_rows: int,
) -> list[Finding]:
    """One finding a column: how far apart its groups' shares of found positives are (equality of opportunity).

    Groups with fewer than `min_rows` positives are passed over; a column that leaves less than two is as well.
    Source: Hardt, Price and Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016.
    """
    positive, found = np.asarray(truth) == 1, np.asarray(challenger, dtype=np.float64) >= threshold
    findings = []
    for name, values in columns.items():
        shares = {}
        for value, at in _values(values):
            of_group = at[positive[at]]
            if of_group.size >= max(1, min_rows):
                shares[value] = float(found[of_group].mean())
        if len(shares) < 2:
            continue
        least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        gap = shares[most] - shares[least]
        findings.append(
            Finding(
                name=f"groups of {name}",
                passed=gap <= allowed,
                found=f"finds {shares[most]:.1%} of the positives of {most!r} and {shares[least]:.1%} of {least!r}",
                wanted=f"at most {allowed:.1%} apart",
            )
        )
    return findings


def _values(values: ArrayLike) -> Sequence[tuple[str, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    """Each value of a column as text, with the rows that have it."""
    texts = np.asarray([str(value) for value in np.asarray(values, dtype=object)])
    return [(str(value), np.flatnonzero(texts == value)) for value in np.unique(texts)]


def _lower(increase: np.ndarray[tuple[int], np.dtype[np.float64]], z: float) -> float:
    return float(increase.mean() - z * increase.std(ddof=1) / math.sqrt(increase.size))
