"""Reading the prediction log: calls in the order they were acknowledged, from any offset, while the server still writes.

A frame that is not whole ends the reading: in a living segment it is on its way, in a dead one it is the torn tail of a
killed process, whose request was never answered. A whole frame whose checksum fails is damage: it is counted, named by
its offset and stepped over; what follows is read as long as it holds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from treadle.systems.serve.runtime.errors import DamagedLog
from treadle.systems.serve.runtime.log.records import HEADER, MAGIC, MAX_PAYLOAD, Call, Context, decode_payload
from treadle.systems.serve.runtime.prediction_ids import number_of


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a server's log has been read: everything before this is known."""

    segment: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call with its context, and where it ends in its segment."""

    context: Context
    call: Call
    end: int


@dataclass(slots=True)
class SegmentReader:
    """The calls of one segment. After iterating, `end` is the offset behind the last good frame."""

    path: Path
    end: int = 0
    torn_bytes: int = 0
    damaged: list[int] = field(default_factory=list)
    """Offsets of whole frames whose checksum fails."""

    def calls(self, start: int = 0) -> Iterator[LoggedCall]:
        """The calls that begin at `start` or later. Raises DamagedLog for a file that is no segment.

        Cost: contexts are needed even from before `start`, so earlier frames are walked over, undecoded.
        """
        data = memoryview(self.path.read_bytes())
        if len(data) < len(MAGIC):
            self.end, self.torn_bytes = 0, len(data)
            return
        if data[: len(MAGIC)] != MAGIC:
            raise DamagedLog(f"{self.path.name} is no segment of a prediction log.", path=str(self.path))
        contexts: dict[int, Context] = {}
        at = self.end = len(MAGIC)
        while (payload := _whole_payload(data, at)) is not None:
            behind = at + HEADER.size + len(payload)
            record = self._decode(data, at, payload, start)
            at = self.end = behind
            if isinstance(record, Context):
                contexts[record.number] = record
            elif isinstance(record, Call):
                yield LoggedCall(contexts[record.context], record, behind)
        self.torn_bytes = len(data) - self.end

    def _decode(self, data: memoryview, at: int, payload: memoryview, start: int) -> Context | Call | None:
        if at < start and payload[0] != 1:
            return None
        if zlib.crc32(payload) != HEADER.unpack_from(data, at)[1]:
            self.damaged.append(at)
            return None
        try:
            return decode_payload(payload)
        except msgspec.DecodeError as error:
            raise DamagedLog(
                f"{self.path.name} holds a record at {at} that this version cannot read.",
                why=str(error),
                fix="Read it with the version that wrote it, or a newer one.",
            ) from None


def _whole_payload(data: memoryview, at: int) -> memoryview | None:
    if at + HEADER.size > len(data):
        return None
    length = HEADER.unpack_from(data, at)[0]
    end = at + HEADER.size + length
    if not 0 < length <= MAX_PAYLOAD or end > len(data):
        return None
    return data[at + HEADER.size : end]


def segments_of(folder: Path) -> list[Path]:
    """The segments of one server, oldest first."""
    return sorted(folder.glob("*.seg"))


def find_call(predictions: Path, prediction_id: str) -> LoggedCall | None:
    """The call that made a prediction, if it still lies in a log here; None when it was shipped or never made.

    Raises ValueError for what is no prediction's id. Cost: the segments that could hold it are read in full.
    """
    wanted = number_of(prediction_id)
    for folder in sorted(predictions.glob("*/")):
        for path in segments_of(folder):
            for logged in SegmentReader(path).calls():
                first = int.from_bytes(logged.call.first_id, "big")
                if first <= wanted < first + logged.call.rows and logged.call.error is None:
                    return logged
    return None
