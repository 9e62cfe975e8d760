"""Profiles as bytes: JSON in one fixed form, so that the same profile has the same bytes and the same digest."""

from __future__ import annotations

import msgspec

from treadle.ground.profiling.records import FORMAT, Profile


def encode(profile: Profile) -> bytes:
    """The profile as JSON; runs of numbers are base64. About 1 to 4 kB a column."""
    return _ENCODER.encode(profile)


def decode(data: bytes) -> Profile | None:
    """The profile, or None for bytes of another format: what is kept is made anew then."""
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None
    return found if found.format == FORMAT else None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Profile)
