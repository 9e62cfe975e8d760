"""How large a picture is, from its first bytes: PNG, JPEG, GIF, WebP, BMP. No picture is decoded.

Sources: PNG specification, 11.2.2; JPEG, ITU T.81 B.2.2; GIF89a, 18; RFC 9649 (WebP); BMP, BITMAPINFOHEADER.
"""

from __future__ import annotations

Size = tuple[int, int]

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG that begin a frame and hold its size."""


def size_of(head: bytes) -> Size | None:
    """Width and height, or None for what is no picture of a known kind, or says nothing within these bytes."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
            return _big(head, 16, 4), _big(head, 20, 4)
        if head[:6] in (b"GIF87a", b"GIF89a"):
            return _little(head, 6, 2), _little(head, 8, 2)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
        if head.startswith(b"BM") and len(head) >= 26:
            return _little(head, 18, 4), abs(int.from_bytes(head[22:26], "little", signed=True))
    except IndexError:
        return None
    return None


def _jpeg(head: bytes) -> Size | None:
    place = 2
    while place + 9 <= len(head):
        if head[place] != 0xFF:
            return None
        marker = head[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in _FRAMES:
            return _big(head, place + 7, 2), _big(head, place + 5, 2)
        elif marker == 0xD9 or marker == 0xDA:
            return None
        else:
            place += 2 + _big(head, place + 2, 2)
    return None


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return _little(head, 24, 3) + 1, _little(head, 27, 3) + 1
    if kind == b"VP8L":
        bits = _little(head, 21, 4)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF
    return None


def _big(data: bytes, place: int, count: int) -> int:
    return int.from_bytes(_taken(data, place, count), "big")


def _little(data: bytes, place: int, count: int) -> int:
    return int.from_bytes(_taken(data, place, count), "little")


def _taken(data: bytes, place: int, count: int) -> bytes:
    piece = data[place : place + count]
    if len(piece) < count:
        raise IndexError(place)
    return piece
