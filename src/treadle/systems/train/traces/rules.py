"""What a trace may be called, and which of its tags are ours to set."""

from __future__ import annotations

import re

from treadle.systems.train.traces.errors import TraceInvalid

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,249}")
_LONGEST_NAME = 4096
_OWN_TAGS = (
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.archiveLocation",
    "mlflow.trace.archivalFailure",
)
_MAY_GO = "mlflow.trace.archivalFailure"


def check_trace_id(id: str) -> None:
    """An id becomes part of where the trace's artifacts lie, so it is plain letters. Raises TraceInvalid."""
    if not _ID.fullmatch(id):
        raise TraceInvalid(
            f"Invalid trace ID {id!r}.",
            why="An id has 1 to 250 letters, digits, dashes or underscores.",
            fix="Use tr- and the 32 hexadecimal digits of the trace.",
        )


def checked_name(name: str | None) -> str | None:
    """The name of a trace. Raises TraceInvalid when it is too long."""
    if name is not None and len(name) > _LONGEST_NAME:
        raise TraceInvalid(f"'Trace name' exceeds the maximum length of {_LONGEST_NAME} characters")
    return name


def check_tag_is_free(key: str, act: str) -> None:
    """Refuses tags that say where spans and artifacts lie: the server says that. act: `set` or `deleted`. Raises TraceInvalid."""
    if key in _OWN_TAGS and not (act == "deleted" and key == _MAY_GO):
        raise TraceInvalid(f"Tag '{key}' is immutable and cannot be {act} on a trace.")
