"""The protocol's error form: `{"error_code", "message", "sqlstate", "error_class"}` under the code's own HTTP status.

Clients branch on `error_code`, retry on the status, and hand sqlstate and error class to whoever counts failures; they
are what the newest MLflow derives from the code.
"""

from __future__ import annotations

import json
from typing import Any

from treadle.ground.errors import (
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    MissingExtra,
    NotFound,
    TreadleError,
    Unavailable,
)

_USER, _SERVER = "KAM00", "XXM00"

CODES: dict[str, tuple[int, str | None, str | None]] = {
    "INTERNAL_ERROR": (500, _SERVER, "CLIENT_INTERNAL_ERROR"),
    "INVALID_STATE": (500, _SERVER, "CLIENT_INTERNAL_ERROR"),
    "DATA_LOSS": (500, None, None),
    "FEATURE_DISABLED": (500, _USER, "FEATURE_DISABLED"),
    "NOT_IMPLEMENTED": (501, None, None),
    "TEMPORARILY_UNAVAILABLE": (503, _SERVER, "CLIENT_INTERNAL_ERROR"),
    "DEADLINE_EXCEEDED": (504, None, None),
    "REQUEST_LIMIT_EXCEEDED": (429, None, None),
    "RESOURCE_EXHAUSTED": (429, None, None),
    "CANCELLED": (499, None, None),
    "ABORTED": (409, None, None),
    "RESOURCE_CONFLICT": (409, None, None),
    "ALREADY_EXISTS": (409, None, None),
    "NOT_FOUND": (404, _USER, "RESOURCE_NOT_FOUND"),
    "ENDPOINT_NOT_FOUND": (404, _USER, "RESOURCE_NOT_FOUND"),
    "RESOURCE_DOES_NOT_EXIST": (404, _USER, "RESOURCE_NOT_FOUND"),
    "PERMISSION_DENIED": (403, _USER, "PERMISSION_DENIED"),
    "CUSTOMER_UNAUTHORIZED": (401, _USER, "PERMISSION_DENIED"),
    "UNAUTHENTICATED": (401, None, None),
    "BAD_REQUEST": (400, _USER, "INVALID_PARAMETER_VALUE"),
    "RESOURCE_ALREADY_EXISTS": (400, _USER, "RESOURCE_ALREADY_EXISTS"),
    "INVALID_PARAMETER_VALUE": (400, _USER, "INVALID_PARAMETER_VALUE"),
}
"""Error code -> HTTP status, sqlstate, error class. A code that is not here answers 500 without the two."""

_OF_STATUS = {401: "UNAUTHENTICATED", 405: "BAD_REQUEST", 413: "BAD_REQUEST", 415: "BAD_REQUEST"}
_OF_KIND = (
    (InvalidInput, "INVALID_PARAMETER_VALUE"),
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (Conflict, "RESOURCE_CONFLICT"),
    (Denied, "PERMISSION_DENIED"),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
    (Corrupt, "DATA_LOSS"),
    (MissingExtra, "NOT_IMPLEMENTED"),
)

SEE_DOCS = " See the API docs for more information about request parameters."


class ProtocolError(TreadleError):
    """An error in the words of the protocol: `raise ProtocolError("INVALID_PARAMETER_VALUE", "…")`.

    extra: further fields of the body.
    """

    code = "mlflow.protocol_error"

    def __init__(
        self,
        error_code: str,
        message: str,
        *,
        status: int | None = None,
        error_class: str | None = None,
        sqlstate: str | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        known_status, known_sqlstate, known_class = CODES.get(error_code, (500, None, None))
        self.error_code, self.message, self.extra = error_code, message, extra
        self.status = known_status if status is None else status
        self.sqlstate = sqlstate or known_sqlstate
        self.error_class = error_class or known_class

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.error_code, self.message, self.status, self.error_class, self.sqlstate, self.extra)


def _rebuilt(
    code: str, message: str, status: int, error_class: str | None, sqlstate: str | None, extra: dict[str, Any]
) -> ProtocolError:
    return ProtocolError(code, message, status=status, error_class=error_class, sqlstate=sqlstate, **extra)


def protocol_error(error: TreadleError) -> ProtocolError:
    """An error of ours in the protocol's words; its sentences become the message.

    A conflict whose code ends in `exists` or `taken` is the protocol's RESOURCE_ALREADY_EXISTS, which clients look for.
    """
    if isinstance(error, ProtocolError):
        return error
    message = " ".join(error.sentences())
    if error.status in _OF_STATUS:
        return ProtocolError(_OF_STATUS[error.status], message, status=error.status)
    if isinstance(error, Conflict) and error.code.endswith(("exists", "taken")):
        return ProtocolError("RESOURCE_ALREADY_EXISTS", message)
    for kind, code in _OF_KIND:
        if isinstance(error, kind):
            return ProtocolError(code, message)
    return ProtocolError("INTERNAL_ERROR", message)


def body_of(error: ProtocolError) -> dict[str, Any]:
    """The JSON body of an error."""
    body: dict[str, Any] = {"error_code": error.error_code, "message": error.message}
    if error.sqlstate is not None:
        body["sqlstate"] = error.sqlstate
    if error.error_class is not None:
        body["error_class"] = error.error_class
    return body | error.extra


def missing(name: str) -> ProtocolError:
    """A required parameter was not given, or is empty."""
    return ProtocolError("INVALID_PARAMETER_VALUE", f"Missing value for required parameter '{name}'.{SEE_DOCS}")


def wrong_type(name: str, value: Any) -> ProtocolError:
    """A parameter is of another type than the protocol says."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    hint = f" Hint: Value was of type '{type(value).__name__}'."
    return ProtocolError(
        "INVALID_PARAMETER_VALUE", f"Invalid value {shown} for parameter '{name}' supplied: {hint}{SEE_DOCS}"
    )


def invalid(message: str) -> ProtocolError:
    """A value that the protocol does not take: INVALID_PARAMETER_VALUE with this message."""
    return ProtocolError("INVALID_PARAMETER_VALUE", message)


def absent(message: str) -> ProtocolError:
    """What a request names is not there: RESOURCE_DOES_NOT_EXIST with this message."""
    return ProtocolError("RESOURCE_DOES_NOT_EXIST", message)
