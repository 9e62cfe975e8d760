"""The two records of the prediction log, and how they lie in a segment.

A segment is eight letters of magic, then frames: a uint32 length, the CRC-32 of the payload, the payload (a kind byte
and MessagePack). A *context* says once per segment what many calls share: endpoint, revision, model, engine, columns.
A *call* is one call of a model: its rows exactly as the estimator got them, its scores, its ids. A call's inputs are the
float64 matrix, since every input that the server accepts is held exactly by it; only the texts of unknown categories,
which have no code, are kept beside it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from treadle.ground.ids import encode
from treadle.systems.serve.runtime.prediction_ids import texts

MAGIC = b"TDLPRED1"
HEADER = struct.Struct("<II")
CONTEXT, CALL = 1, 2
MAX_PAYLOAD = 1 << 30


class LoggedColumn(msgspec.Struct, frozen=True, array_like=True):
    """One column of the matrix: what its numbers mean."""

    name: str
    datatype: str
    categories: tuple[str, ...] | None = None


class Context(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What the calls of one revision share. `number` is unique within a server process."""

    number: int
    server: str
    endpoint: str
    revision: str
    revision_number: int
    model: str
    model_version: str
    model_digest: str
    bundle: str
    engine: str
    engine_version: str
    threads: int
    width: int
    columns: tuple[LoggedColumn, ...]
    route_number: int = 0
    is_shadow: bool = False
    """Whether its calls are copies that answered nobody."""


class Keyed(msgspec.Struct, frozen=True, array_like=True):
    """What a call's vectors were read from. views: name and digest of each. The lists have an entry a row; statuses, as_of
    (microseconds since 1970; 0: unavailable) and versions hold one a view, in the order of `views`."""

    service: str
    digest: str
    views: list[tuple[str, str]]
    asked: list[dict[str, Any]]
    """Keys and values on demand."""
    statuses: list[list[str]]
    as_of: list[list[int]]
    versions: list[list[int]]

    def rows(self, at: Sequence[int]) -> Keyed:
        """Those of some rows."""
        return Keyed(
            self.service,
            self.digest,
            self.views,
            [self.asked[row] for row in at],
            [self.statuses[row] for row in at],
            [self.as_of[row] for row in at],
            [self.versions[row] for row in at],
        )


class Call(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One call of a model. Times are microseconds since 1970; lists have an entry a row, None means: nobody said.

    matrix: float64 bytes of (rows, columns), row-major. scores: float64 bytes of (rows, width).
    """

    context: int
    first_id: bytes
    rows: int
    recorded_at: int
    latency_us: int
    matrix: bytes
    scores: bytes
    event_at: list[int] | None = None
    entity: list[str] | None = None
    feature_as_of: list[int] | None = None
    unknown: list[tuple[int, int, str]] = []
    request_id: str | None = None
    unit: str | None = None
    features: str | None = None
    """The digest of the frame that the matrix was taken from."""
    model_us: int = 0
    """What the model itself took of the latency."""
    shadow_of: bytes | None = None
    """The first id of the call of which this one is a copy."""
    error: str | None = None
    """The code of what went wrong; then there are no scores and nobody has the ids."""
    keyed: Keyed | None = None
    """What the vectors were read from, where the server read them."""

    @property
    def call_id(self) -> str:
        """`call_` and the letters of the first row's id."""
        return f"call_{encode(int.from_bytes(self.first_id, 'big'))}"

    @property
    def prediction_ids(self) -> list[str]:
        return texts(int.from_bytes(self.first_id, "big"), self.rows)

    def inputs(self) -> NDArray[np.float64]:
        """The matrix, (rows, columns)."""
        return np.frombuffer(self.matrix, dtype=np.float64).reshape(self.rows, -1)

    def outputs(self) -> NDArray[np.float64]:
        """The scores, (rows, width)."""
        return np.frombuffer(self.scores, dtype=np.float64).reshape(self.rows, -1)


@dataclass(slots=True)
class FrameBuffer:
    """Builds frames in one buffer that is used again, so that a record costs no allocation but its arrays."""

    _encoder: msgspec.msgpack.Encoder
    _buffer: bytearray
    _gathered: bytearray

    @classmethod
    def empty(cls) -> FrameBuffer:
        return cls(msgspec.msgpack.Encoder(), bytearray(1 << 16), bytearray())

    def frame(self, kind: int, record: Any) -> memoryview:
        """The frame of a record; valid until the next one."""
        buffer = self._buffer
        self._encoder.encode_into(record, buffer, 9)
        length = len(buffer) - 8
        buffer[8] = kind
        with memoryview(buffer) as view:
            HEADER.pack_into(buffer, 0, length, zlib.crc32(view[8:]))
        return memoryview(buffer)

    def gather(self, kind: int, record: Any) -> None:
        """Puts the frame of a record behind those that were gathered before."""
        frames = self._gathered
        start = len(frames)
        frames += _ROOM
        self._encoder.encode_into(record, frames, -1)
        frames[start + 8] = kind
        with memoryview(frames) as view:
            HEADER.pack_into(frames, start, len(frames) - start - 8, zlib.crc32(view[start + 8 :]))

    def taken(self) -> memoryview:
        """The frames that were gathered; none are left."""
        frames, self._gathered = self._gathered, bytearray()
        return memoryview(frames)


_ROOM = bytes(9)
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    CONTEXT: msgspec.msgpack.Decoder(Context),
    CALL: msgspec.msgpack.Decoder(Call),
}


def decode_payload(payload: memoryview) -> Context | Call:
    """The record of a payload whose checksum held. Raises msgspec.DecodeError for a kind or a shape it does not know."""
    decoder = _DECODERS.get(payload[0])
    if decoder is None:
        raise msgspec.DecodeError(f"unknown kind of record {payload[0]}")
    record: Context | Call = decoder.decode(payload[1:])
    return record
