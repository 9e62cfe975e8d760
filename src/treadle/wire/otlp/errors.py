"""What is wrong with a body of OTLP.

TreadleError
    InvalidInput
        BadOtlp   the bytes are no export request
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class BadOtlp(InvalidInput):
    """The bytes are no export request."""

    code = "otlp.bad_body"
