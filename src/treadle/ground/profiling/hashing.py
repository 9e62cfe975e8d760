"""Hashes of 64 bits that stay the same on every machine and with every release of every library.

A sketch of distinct values is kept for years and merged with tomorrow's, so its hash may not be a library's: Polars and
DuckDB promise nothing of theirs from one release to the next. These are a few NumPy operations a value, in pieces that
stay in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

PIECE = 1 << 15
"""Values at a time: what is between two operations on them stays in the cache."""

LONG_BYTES = 256
"""Texts beyond so many bytes are hashed one by one; shorter ones all together, eight bytes at a time."""

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_BEYOND = np.uint64(0xD6E8FEB86659FD93)
_EXACT = 1 << 53


def of_numbers(values: NDArray[np.generic]) -> Hashes:
    """The hash of each number. Equal numbers hash alike whether they are integers or floats; -0.0 is 0.0.

    values: integers of any width or floats, without NaN. Cost: about 3 ns a value.
    """
    out = np.empty(values.size, dtype=np.uint64)
    wide = values.dtype.kind in "iu" and values.size > 0 and _reach(values) >= _EXACT
    for piece in _pieces(values.size):
        part = values[piece]
        floats = part.astype(np.float64)
        floats += 0.0  # -0.0 becomes 0.0
        bits = floats.view(np.uint64)
        if wide:
            whole = part.astype(np.int64).view(np.uint64) ^ _BEYOND
            bits = np.where(np.abs(floats) < _EXACT, bits, whole)
        out[piece] = _mixed(bits)
    return out


def of_texts(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> Hashes:
    """The hash of each text (or run of bytes), text i being `data[offsets[i]:offsets[i + 1]]`.

    Cost: about 10 ns for each eight bytes of a short text, and what BLAKE2 takes for a long one.
    """
    n = offsets.size - 1
    out = np.empty(n, dtype=np.uint64)
    padded = np.concatenate([data, np.zeros(8, dtype=np.uint8)])
    words = np.ndarray(shape=(data.size + 1,), dtype="<u8", buffer=padded, strides=(1,))
    for piece in _pieces(n):
        starts = offsets[piece.start : piece.stop]
        lengths = offsets[piece.start + 1 : piece.stop + 1] - starts
        out[piece] = _of_short(words, starts, np.minimum(lengths, LONG_BYTES), lengths)
        for i in np.flatnonzero(lengths > LONG_BYTES):
            text = data[starts[i] : starts[i] + lengths[i]]
            out[piece.start + i] = int.from_bytes(hashlib.blake2b(text.tobytes(), digest_size=8).digest(), "little")
    return out


def _of_short(
    words: Hashes, starts: NDArray[np.int64], capped: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Hashes:
    state = lengths.astype(np.uint64)
    state *= _STEP
    rows: NDArray[np.int64] | None = None  # all of them, until some have ended
    left = np.where(lengths > LONG_BYTES, 0, capped)
    at = starts
    while left.size and (most := int(left.max())) > 0:
        if int(left.min()) <= 0:
            going = np.flatnonzero(left > 0)
            rows = going if rows is None else rows[going]
            left, at = left[going], at[going]
        word = words[at]
        if most < 8 or int(left.min()) < 8:
            word &= _MASKS[np.minimum(left, 8)]
        if rows is None:
            state = _absorbed(state, word)
        else:
            state[rows] = _absorbed(state[rows], word)
        left, at = left - 8, at + 8
    return _mixed(state)


def _absorbed(state: Hashes, word: Hashes) -> Hashes:
    state ^= word
    state *= _FIRST
    state ^= state >> np.uint64(29)
    return state


def _mixed(bits: Hashes) -> Hashes:
    """Bits spread over all 64. Source: Stafford's variant 13 of MurmurHash3's finaliser, as in SplitMix64.

    Two rounds in place of three are a tenth quicker and too weak: small whole numbers fall too evenly into registers.
    """
    mixed = bits + _STEP
    shifted = mixed >> np.uint64(30)
    mixed ^= shifted
    mixed *= _FIRST
    mixed ^= np.right_shift(mixed, np.uint64(27), out=shifted)
    mixed *= _SECOND
    mixed ^= np.right_shift(mixed, np.uint64(31), out=shifted)
    return mixed


def _pieces(n: int) -> Iterator[slice]:
    for start in range(0, n, PIECE):
        yield slice(start, min(n, start + PIECE))


def _reach(values: NDArray[np.generic]) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))


_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)
