"""What can be wrong with a request, in words that its sender can act on.

InvalidInput
└── ProtocolError        the body is no inference request of this protocol (400)
    └── BodyTooLarge     it is longer than the endpoint takes (413)
"""

from __future__ import annotations

import msgspec

from treadle.ground.errors import InvalidInput

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8 within it, or nested beyond reason."""


class ProtocolError(InvalidInput):
    code = "oip.malformed"


class BodyTooLarge(ProtocolError):
    code, status = "oip.body_too_large", 413
