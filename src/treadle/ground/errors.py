"""Errors say what happened, why, and what to do.

    TreadleError                    the base; every error of ours descends from it
    ├── InvalidInput                what came in cannot be used (400)
    ├── NotFound                    there is no such thing (404)
    ├── Conflict                    the world has moved on since you looked (409)
    ├── Denied                      the policy does not allow it (403)
    ├── Unavailable                 a part that is needed does not answer; try again (503)
    ├── Corrupt                     stored bytes are not what was written (500)
    └── MissingExtra                an optional library is not installed (501)

Each system keeps its own names in its `errors.py`, below one of these. `code` is for programs and never changes,
`status` is what an HTTP face answers, `retryable` is a fact of the class and not a guess of the caller.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TreadleError(Exception):
    """The base: three sentences for the person at the terminal, facts for the log."""

    code = "treadle.error"
    status = 500
    retryable = False

    def __init__(self, what: str, *, why: str = "", fix: str = "", **context: object) -> None:
        super().__init__(what)
        self.what, self.why, self.fix, self.context = what, why, fix, context

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders: what a worker raises, its driver shows."""
        return _rebuild, (type(self), self.what, self.why, self.fix, self.context)

    def sentences(self) -> list[str]:
        """What, why and fix, in this order, without the empty ones."""
        return [sentence for sentence in (self.what, self.why, self.fix) if sentence]


def _rebuild(kind: type[TreadleError], what: str, why: str, fix: str, context: dict[str, object]) -> TreadleError:
    return kind(what, why=why, fix=fix, **context)


class InvalidInput(TreadleError):
    code, status = "input.invalid", 400


class NotFound(TreadleError):
    code, status = "treadle.not_found", 404


class Conflict(TreadleError):
    code, status = "treadle.conflict", 409


class Denied(TreadleError):
    code, status = "treadle.denied", 403


class Unavailable(TreadleError):
    code, status, retryable = "treadle.unavailable", 503, True


class Corrupt(TreadleError):
    code, status = "treadle.corrupt", 500


class MissingExtra(TreadleError):
    code, status = "treadle.missing_extra", 501

    @classmethod
    def of(cls, library: str, extra: str, needed_for: str) -> MissingExtra:
        """The error that carries its own install line."""
        return cls(
            f"{needed_for} needs the library {library!r}, which is not installed.",
            fix=f'Install it with: pip install "treadle[{extra}]"',
            library=library,
            extra=extra,
        )


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """A hint with the closest known names, or the known names themselves when none is close; may be empty."""
    names = sorted(set(known))
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    if names:
        return f"Known: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}."
    return ""
