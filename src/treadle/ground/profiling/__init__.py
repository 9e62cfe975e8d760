"""Profiles: what the columns of some rows hold, in a few kB a column, mergeable with the profile of other rows.

On the ground floor, since collect compares snapshots by them, prepare draws contracts and finds anomalies from them, and
the monitor reads them. The names are handed out late: they stand on NumPy and Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.ground.profiling.codec import decode, encode
    from treadle.ground.profiling.correlations import Correlations
    from treadle.ground.profiling.frequent import Frequent
    from treadle.ground.profiling.merging import merge
    from treadle.ground.profiling.moments import Moments
    from treadle.ground.profiling.numbers import Numbers
    from treadle.ground.profiling.personal import Finding
    from treadle.ground.profiling.profiling import profile, profile_batches
    from treadle.ground.profiling.records import EMPTY, Bars, ColumnProfile, Kind, Profile
    from treadle.ground.profiling.texts import Texts
    from treadle.ground.profiling.times import Rhythm

_HOME_OF = {
    "EMPTY": "records",
    "Bars": "records",
    "ColumnProfile": "records",
    "Correlations": "correlations",
    "Finding": "personal",
    "Frequent": "frequent",
    "Kind": "records",
    "Moments": "moments",
    "Numbers": "numbers",
    "Profile": "records",
    "Rhythm": "times",
    "Texts": "texts",
    "decode": "codec",
    "encode": "codec",
    "merge": "merging",
    "profile": "profiling",
    "profile_batches": "profiling",
}

__all__ = [
    "EMPTY",
    "Bars",
    "ColumnProfile",
    "Correlations",
    "Finding",
    "Frequent",
    "Kind",
    "Moments",
    "Numbers",
    "Profile",
    "Rhythm",
    "Texts",
    "decode",
    "encode",
    "merge",
    "profile",
    "profile_batches",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
