"""What the registry asks of the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from treadle.kernel.artifacts import Artifact
from treadle.kernel.store import Reader, Transaction


class Values(Protocol):
    """Loads the value of an artifact."""

    def load(self, artifact: Artifact, as_type: Any = None) -> Any: ...


class Announcer(Protocol):
    """Tells those who asked for it what has happened, once the transaction stands."""

    def announce(self, tx: Transaction, project: str, *, kind: str, data: Mapping[str, Any], event: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A run or a logged model, as the place that a version's files come from.

    location: where its files are kept. run: the run's own id here; `run_id` that of the protocol. code: what its labels
    say about the code. data: the data sets that it used, by role.
    """

    location: str
    run: str | None = None
    run_id: str | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class Origins(Protocol):
    """What tracking knows of the runs and logged models that versions come from."""

    def of_run(self, reader: Reader, project: str, run_id: str) -> Origin | None:
        """The run of this protocol id, or None."""

    def of_logged_model(self, reader: Reader, project: str, model_id: str) -> Origin | None:
        """The logged model, or None."""

    def note_version(self, tx: Transaction, project: str, model_id: str, name: str, number: int) -> None:
        """Writes on the logged model that it was registered as this version."""
