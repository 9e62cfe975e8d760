"""The log of `treadle up`: lines for a person at a terminal, JSON lines for whoever collects them."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import IO, Any


def logger(stream: IO[str], *, as_json: bool) -> Any:
    """A structured logger that writes to the stream; coloured at a terminal, `key=value` in a file."""
    import structlog

    dress: Any
    if as_json:
        dress = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    elif stream.isatty():
        dress = [structlog.dev.ConsoleRenderer(pad_event_to=0)]
    else:
        keys = ["timestamp", "level", "event"]
        dress = [structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer(key_order=keys)]
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),  # type: ignore[arg-type]  # it writes and flushes, no more
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if stream.isatty() and not as_json else "iso", utc=True),
            _without_nothing,
            *dress,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )


def _without_nothing(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value for name, value in line.items() if value is not None and value is not False}
