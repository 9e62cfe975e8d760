"""An error as a document, and back: what HTTP answers, what `--json` prints, what the remote client raises again.

The document is RFC 9457's problem+json (`type`, `title`, `status`) with the parts of our errors beside it. All faces share
it, so that a program reads one form wherever it meets an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

REFERENCE = "https://treadle.readthedocs.io/reference/errors#"
_PLAIN = (str, int, float, bool, type(None))

EXIT_CODES = {
    0: "done",
    1: "the work itself failed: a run, a check, a verification",
    2: "the command was not understood, or its input cannot be used",
    3: "there is no such thing",
    4: "the world has moved on since you looked",
    5: "not allowed",
    6: "a part that is needed does not answer; try again",
    7: "stored bytes are not what was written",
    8: "an optional library is not installed",
    9: "an error that Treadle does not know: please report it",
    130: "stopped by the keyboard",
}
"""What a command's exit code says."""

_EXIT_CODE_OF = (
    (Corrupt, 7),
    (MissingExtra, 8),
    (InvalidInput, 2),
    (NotFound, 3),
    (Conflict, 4),
    (Denied, 5),
    (Unavailable, 6),
)
_EXIT_CODE_OF_STATUS = {400: 2, 401: 5, 403: 5, 404: 3, 409: 4, 413: 2, 415: 2, 501: 8, 503: 6}


def exit_code(error: TreadleError) -> int:
    """The exit code of a command that ended with this error."""
    for kind, code in _EXIT_CODE_OF:
        if isinstance(error, kind):
            return code
    return _EXIT_CODE_OF_STATUS.get(error.status, 1)


def problem(error: TreadleError) -> dict[str, Any]:
    """The problem document of an error: `type title status code why fix retryable context`."""
    return {
        "type": REFERENCE + error.code.replace(".", "-"),
        "title": error.what,
        "status": error.status,
        "code": error.code,
        "why": error.why,
        "fix": error.fix,
        "retryable": error.retryable,
        "context": {key: value if isinstance(value, _PLAIN) else str(value) for key, value in error.context.items()},
    }


def unknown_problem(reference: str) -> dict[str, Any]:
    """The document of an error that is no error of ours; it says nothing of the inside but the log's reference."""
    return {
        "type": REFERENCE + "treadle-error",
        "title": "Treadle met an error that it does not know.",
        "status": 500,
        "code": "treadle.error",
        "why": f"The server's log has the details under {reference}.",
        "fix": "",
        "retryable": False,
        "context": {"reference": reference},
    }


def error_of(document: Mapping[str, Any]) -> TreadleError:
    """The error that a problem document speaks of: of its own class where this process knows it, else of its kin."""
    code, status = str(document.get("code", "treadle.error")), int(document.get("status", 500))
    known = {kind.code: kind for kind in error_classes()}
    kind = known.get(code) or _kin(status)
    error = kind.__new__(kind)
    TreadleError.__init__(
        error,
        str(document.get("title", "The server answered with an error.")),
        why=str(document.get("why", "")),
        fix=str(document.get("fix", "")),
        **dict(document.get("context", {})),
    )
    if kind.code != code or kind.status != status:
        error.code, error.status = code, status
    return error


def error_classes(base: type[TreadleError] = TreadleError) -> Iterator[type[TreadleError]]:
    """Every error class that this process has imported, the base first."""
    yield base
    for kind in base.__subclasses__():
        yield from error_classes(kind)


def _kin(status: int) -> type[TreadleError]:
    kin = {400: InvalidInput, 403: Denied, 404: NotFound, 409: Conflict, 501: MissingExtra, 503: Unavailable}
    return kin.get(status, TreadleError)
