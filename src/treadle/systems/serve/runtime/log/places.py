"""How far a shipper has come, as the servers and the shipper both read it: `shipped.json` beside the servers' folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

STATE_FILE = "shipped.json"


class Place(msgspec.Struct, frozen=True):
    """Everything before `offset` of `segment`, and every segment before it, is landed."""

    segment: str
    offset: int


class _Landed(msgspec.Struct):
    done: dict[str, Place] = {}


def segment_name(number: int) -> str:
    """The file of a server's n-th segment, counted from 1; names sort as numbers do."""
    return f"{number:08d}.seg"


@dataclass(slots=True)
class ShippedPlace:
    """What a shipper says of one server's folder."""

    folder: Path

    def bytes_of(self, closed: Sequence[int], written: int) -> int:
        """How many of the bytes that this server wrote are landed. closed: the sizes of its closed segments."""
        try:
            landed = msgspec.json.decode((self.folder.parent / STATE_FILE).read_bytes(), type=_Landed)
        except (OSError, msgspec.DecodeError):
            return 0
        place = landed.done.get(self.folder.name)
        if place is None or not place.segment[:8].isdigit():
            return 0
        return min(written, sum(closed[: int(place.segment[:8]) - 1]) + place.offset)
