"""What can be wrong with a request, in words that its sender can act on.

InvalidInput
└── ProtocolError        the body is no inference request of this protocol (400)
    └── BodyTooLarge     it is longer than the endpoint takes (413)
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class ProtocolError(InvalidInput):
    code = "oip.malformed"


class BodyTooLarge(ProtocolError):
    code, status = "oip.body_too_large", 413
