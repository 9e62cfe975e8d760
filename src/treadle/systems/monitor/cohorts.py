"""The predictions of a window, parted by model version and joined with what is known of their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from treadle.systems.monitor.errors import UnfitColumn
from treadle.systems.monitor.ports import EVENT_AT, MODEL_VERSION, PREDICTION, SCORE, TRUTH

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The predictions of one model version: the rows, their scores, the truth (NaN where unknown), how many of those
    unknown are closed, and the share of the window that they span from first to last."""

    model_version: str
    rows: pa.Table
    score: Floats
    truth: Floats
    closed: int
    span: float


def cohorts_of(predictions: pa.Table, truth: pa.Table, *, window_s: int) -> list[Cohort]:
    """A cohort for each model version that predicted, by its name.

    truth: `prediction` and `truth`, null where there is no answer and never will be; rows of other predictions are
    ignored. Raises UnfitColumn when one of the named columns is missing.
    """
    import pyarrow.compute as pc

    for table, names in ((predictions, (PREDICTION, MODEL_VERSION, EVENT_AT, SCORE)), (truth, (PREDICTION, TRUTH))):
        for name in names:
            if name not in table.column_names:
                raise UnfitColumn(
                    f"The {'truth' if table is truth else 'predictions'} come without {name!r}.", column=name
                )
    answers, known = _answers(predictions, truth)
    at = seconds(predictions)
    versions = predictions.column(MODEL_VERSION)
    cohorts = []
    for version in sorted(pc.unique(versions).to_pylist()):
        chosen = np.flatnonzero(np.asarray(pc.equal(versions, version)))
        cohorts.append(
            Cohort(
                model_version=version,
                rows=predictions.take(chosen),
                score=numbers(predictions, SCORE)[chosen],
                truth=answers[chosen],
                closed=int((known[chosen] & np.isnan(answers[chosen])).sum()),
                span=float(np.ptp(at[chosen])) / window_s,
            )
        )
    return cohorts


def known_rows(predictions: pa.Table, truth: pa.Table) -> int:
    """Of how many predictions the outcome is known."""
    return int(_answers(predictions, truth)[1].sum())


def numbers(table: pa.Table, name: str) -> Floats:
    """A column as float64, null as NaN."""
    import pyarrow as pa

    return np.asarray(table.column(name).cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def words_of(table: pa.Table, name: str) -> list[str | None]:
    """A column as words. Raises UnfitColumn when it is missing."""
    import pyarrow as pa

    if name not in table.column_names:
        raise UnfitColumn(f"There is no column {name!r} to compare groups by.", column=name)
    return table.column(name).cast(pa.string()).to_pylist()  # type: ignore[no-any-return]


def seconds(table: pa.Table) -> Floats:
    """The times of the rows in seconds since 1970, null as NaN. Raises UnfitColumn when they are no times."""
    import pyarrow as pa
    from pyarrow import types

    column = table.column(EVENT_AT)
    if not types.is_timestamp(column.type):
        raise UnfitColumn(f"{EVENT_AT!r} holds {column.type} and no times.", fix="Give it a timestamp type.")
    micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).cast(pa.float64(), safe=False)
    return np.asarray(micros.to_numpy(), dtype=np.float64) / 1e6


def _answers(predictions: pa.Table, truth: pa.Table) -> tuple[Floats, NDArray[np.bool_]]:
    """The truth of each prediction, NaN where there is none, and whether its outcome is known at all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(
        predictions.column(PREDICTION).cast(pa.string()), value_set=truth.column(PREDICTION).cast(pa.string())
    )
    known = np.asarray(place.is_valid())
    answers = np.full(predictions.num_rows, np.nan)
    answers[known] = numbers(truth, TRUTH)[np.asarray(place.drop_null(), dtype=np.int64)]
    return answers, known
