"""What moving asks of the outside: a store of MLflow to read, and rows of a foreign database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

from treadle.systems.train.moving.records import StoredExperiment, StoredLoggedModel, StoredModel, StoredRun


class StoredFile(Protocol):
    """A file of a store: `path` below its folder."""

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes."""


class MlflowStore(Protocol):
    """A store of MLflow, which is only read."""

    @property
    def name(self) -> str:
        """What it is, without credentials, for messages."""

    def experiments(self) -> Sequence[StoredExperiment]:
        """Every experiment, deleted ones too."""

    def run_ids(self) -> Sequence[str]:
        """Every run, those first that started first."""

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        """Some runs, in the order asked."""

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        """Every logged model."""

    def models(self) -> Iterator[StoredModel]:
        """Every registered model with its versions."""

    def files(self, location: str) -> Sequence[StoredFile]:
        """The files at an artifact location. Raises LocationClosed where this process may not or cannot look."""

    def not_read(self) -> Mapping[str, int]:
        """How many things of other kinds it holds, by kind: what no import brings."""

    def close(self) -> None:
        """Gives back what reading took."""


class ForeignRows(Protocol):
    """Rows of a foreign database, read in one consistent view."""

    @property
    def mark(self) -> str:
        """How a parameter is written: `?` or `%s`."""

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; none where there is no such table."""

    def all(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement."""

    def close(self) -> None:
        """Ends the connection."""
