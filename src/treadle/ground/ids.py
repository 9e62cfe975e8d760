"""Identifiers that sort by time and say what they name.

An id is `prefix_` and the 26 letters of a UUIDv7 in Crockford's base 32: the TypeID form (jetify-com/typeid, version
0.3). `run_01k9…` can be read, double-clicked, and told from `pred_01k9…` by `treadle why`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Lock

NewId = Callable[[str], str]
"""Makes a new id with the given prefix."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_HEX = frozenset("0123456789abcdef")
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))
_lock = Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9m3…`: 48 bits of milliseconds, then 74 bits that rise within one process.

    Ids made by one process are strictly increasing, also within a millisecond (RFC 9562, 6.2, method 2).
    """
    return f"{prefix}_{encode(_next_uuid7())}"


def _next_uuid7() -> int:
    global _last
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | 2 << 62
        entropy = int.from_bytes(os.urandom(10), "big")
        value = fresh | ((entropy >> 66) & 0xFFF) << 64 | (entropy & ((1 << 62) - 1))
        if value <= _last:
            value = _last + 1 + (entropy & 0xFFFF)
        _last = value
        return value


def encode(value: int) -> str:
    """128 bits as 26 letters, most significant first."""
    return "".join([_PAIRS[(value >> shift) & 0x3FF] for shift in _SHIFTS])


def decode(text: str) -> int:
    """The 128 bits of 26 letters. Raises ValueError for anything else."""
    if len(text) != 26:
        raise ValueError(f"an id ends in 26 letters, not {len(text)}")
    value = 0
    for letter in text:
        value = value << 5 | _ALPHABET.index(letter)
    return value


def prefix_of(identifier: str) -> str | None:
    """The kind that an id names (`run`, `pred`, …), or None when the text is no id."""
    prefix, _, rest = identifier.rpartition("_")
    if not prefix or len(rest) != 26 or any(letter not in _ALPHABET for letter in rest):
        return None
    return prefix


def millis_of(identifier: str) -> int:
    """The milliseconds since 1970 at which an id was made. Raises ValueError when the text is no id."""
    return decode(identifier.rpartition("_")[2]) >> 80


def mlflow_id(run_id: str) -> str:
    """The 32 hexadecimal digits under which MLflow's clients know a run: the same 128 bits, written otherwise.

    Raises ValueError when the text is no id.
    """
    return f"{decode(run_id.rpartition('_')[2]):032x}"


def run_id_of(mlflow_run: str) -> str | None:
    """The id of the run that MLflow's clients know by 32 hexadecimal digits; None for any other text."""
    if len(mlflow_run) != 32 or not _HEX.issuperset(mlflow_run):
        return None
    return f"run_{encode(int(mlflow_run, 16))}"
