"""How many different values there are, from 768 bytes: HyperLogLog over hashes that never change.

Two sketches merge into the sketch of both, exactly, in any order. The standard error is 3.25 % of the count; up to 64
values a profile counts exactly, and does not come here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from treadle.ground.profiling.hashing import PIECE, Hashes

PRECISION = 10
REGISTERS = 1 << PRECISION
ERROR = 1.04 / math.sqrt(REGISTERS)
"""Standard error of an estimate, relative."""

Registers = NDArray[np.uint8]

_RANKS = 64 - PRECISION + 1
_LAST = np.uint64(1 << (64 - PRECISION))


def registers_of(hashes: Hashes) -> Registers:
    """The sketch of some hashes; the same hash twice is the same as once. Cost: about 3 ns a hash."""
    seen = np.zeros(REGISTERS * 64, dtype=bool)
    known, next_look = 0, PIECE
    for start in range(0, hashes.size, PIECE):
        piece = hashes[start : start + PIECE]
        if start >= next_look:
            known, next_look = int(_highest(seen).min()), 4 * start
        if known > 1:  # only what would raise the lowest register can raise any
            piece = piece[(piece & np.uint64((1 << known) - 1)) == 0]
        rest = piece | _LAST
        lowest = (rest & (~rest + np.uint64(1))).astype(np.float64)  # a power of two, so the exponent is its place
        rank = (lowest.view(np.uint64) >> np.uint64(52)) - np.uint64(1022)
        seen[(((piece >> np.uint64(64 - PRECISION)) << np.uint64(6)) | rank).astype(np.intp)] = True
    return _highest(seen)


def _highest(seen: NDArray[np.bool_]) -> Registers:
    table = seen.reshape(REGISTERS, 64)
    return np.where(table.any(axis=1), 63 - np.argmax(table[:, ::-1], axis=1), 0).astype(np.uint8)


def estimate(registers: Registers) -> float:
    """How many different hashes went in. Source: Ertl, "New cardinality estimation algorithms for HyperLogLog
    sketches", 2017, algorithm 6: no table of corrections, and no bias between the small and the large."""
    counts = np.bincount(registers, minlength=_RANKS + 1)
    z = REGISTERS * _tau(1.0 - counts[_RANKS] / REGISTERS)
    for rank in range(_RANKS - 1, 0, -1):
        z = 0.5 * (z + float(counts[rank]))
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return 0.0 if math.isinf(z) else REGISTERS * REGISTERS / (2.0 * math.log(2.0) * z)


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, total, before = 1.0, x, -1.0
    while total != before:
        before = total
        x *= x
        total += x * y
        y += y
    return total


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, total, before = 1.0, 1.0 - x, -1.0
    while total != before:
        before = total
        x = math.sqrt(x)
        y *= 0.5
        total -= (1.0 - x) ** 2 * y
    return total / 3.0


def packed(registers: Registers) -> bytes:
    """The sketch in 768 bytes: six bits a register."""
    bits = np.unpackbits(registers[:, None], axis=1)[:, 2:]
    return np.packbits(bits.ravel()).tobytes()


def unpacked(data: bytes) -> Registers:
    """The sketch from its 768 bytes."""
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8)).reshape(REGISTERS, 6)
    return np.packbits(np.pad(bits, ((0, 0), (2, 0))), axis=1).ravel()
