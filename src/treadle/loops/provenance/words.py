"""How provenance puts times, values and ids into words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from treadle.kernel.catalog import Run
from treadle.kernel.engine.values import from_json

_PRESENT = timedelta(seconds=1)
"""A run whose `now` is this near to its start was about the present."""


def moment(at: datetime) -> str:
    """A time as `2013-04-01 03:00:00Z`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def took(length: timedelta) -> str:
    """A length of time as `13 ms`, `4.2 s` or `3 min 20 s`."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def bare(value: Any) -> Any:
    """A value as JSON can hold it: times as text, everything else as it is."""
    if isinstance(value, datetime):
        return moment(value) if value.tzinfo is not None else value.isoformat(sep=" ")
    if isinstance(value, date | timedelta):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): bare(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [bare(entry) for entry in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def short(digest: str) -> str:
    """A digest in twelve letters."""
    return digest.removeprefix("sha256:")[:12]


def title_of(run: Run) -> str:
    """A run by its kind and its place."""
    return f"{run.kind} {run.path}"


def facts_of(run: Run) -> dict[str, Any]:
    """What is worth saying of a run."""
    facts: dict[str, Any] = {}
    if run.status != "done":
        facts["status"] = run.status
    if run.started_at is not None:
        facts["started"] = f"{moment(run.started_at)} by {run.actor}"
        if run.ended_at is not None and run.status != "cached":
            facts["took"] = took(run.ended_at - run.started_at)
    if run.now_at is not None and run.started_at is not None and abs(run.now_at - run.started_at) > _PRESENT:
        facts["as of"] = moment(run.now_at)
    if run.seed is not None:
        facts["seed"] = run.seed
    facts.update({name: bare(_parameter(value)) for name, value in (run.params or {}).items()})
    if run.error is not None:
        facts["failed"] = str(run.error.get("what", ""))
    return facts


def _parameter(form: Any) -> Any:
    """A parameter as it was given; one that only the project's own classes can read, as it was written."""
    try:
        return from_json(form)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError):
        return form
