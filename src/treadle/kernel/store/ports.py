"""The port: what a store offers, whichever database is behind it.

A write is a function of a transaction. The store may run it together with other threads' writes in one commit (group
commit), and may run it again when the database asks for a retry; so it touches nothing but its transaction, and its
answer is true only once `write` has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from treadle.kernel.store.sql import Statement

T = TypeVar("T")

Row = tuple[Any, ...]
Parameters = Mapping[str, object]

NOTHING: Parameters = {}


class Reader(Protocol):
    """A consistent view of the store."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    def find(self, statement: Statement, parameters: Parameters = NOTHING) -> Row | None:
        """The first row, or None."""

    def all(self, statement: Statement, parameters: Parameters = NOTHING) -> list[Row]:
        """Every row, in the statement's order."""

    def each(self, statement: Statement, parameters: Parameters = NOTHING) -> Iterator[Row]:
        """The rows one by one, without holding them all."""


class Transaction(Reader, Protocol):
    """A write in progress: it sees its own changes, and all of them stand or none.

    After an error the transaction can only be left (PostgreSQL runs nothing more in it). Whoever wants to go on when a
    key is taken says so in the statement, `on conflict … do nothing`, and looks at the number of rows.
    """

    def execute(self, statement: Statement, parameters: Parameters = NOTHING) -> int:
        """Runs a statement; answers how many rows it touched. Raises UniqueViolation for a key that is taken."""

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Runs a statement once for each row. Raises UniqueViolation for a key that is taken."""

    def put(self, statement: Statement, parameters: Parameters = NOTHING) -> None:
        """Runs a statement whose answer nobody waits for: a server runs it with the next, in one round trip.

        What it did is seen by all that comes after it. Its error may come with any later call, or with the commit; whoever
        wants to catch it inside of the work calls `execute`.
        """

    def put_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """As `put`, once for each row."""


Work = Callable[[Transaction], T]


class Store(Protocol):
    """Rows and transactions. Safe to share between threads; not to be carried across a fork."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    @property
    def url(self) -> str:
        """Where the rows are, without credentials, for messages."""

    @property
    def is_writing(self) -> bool:
        """Whether a write that begins now would wait for another of this process."""

    @property
    def is_near(self) -> bool:
        """Whether the rows are on this host: their answers come so soon that an event loop may wait for them."""

    def at_once(self) -> AbstractContextManager[None]:
        """For an event loop, where the rows are near: the first read or write within is made now or not at all.

        Raises StoreBusy, and nothing of it stands, where it would have to wait for another process's transaction or for
        a connection. SQLite has but one writer and tells by `is_writing`; it waits here as always.
        """

    def read(self) -> AbstractContextManager[Reader]:
        """A consistent view, for the length of a `with`. Readers never wait for writers."""

    def write(self, work: Work[T], *, durable: bool = False) -> T:
        """Commits what `work` does and answers what it answers.

        When this returns the rows survive the death of this process. `durable=True` waits until they survive a power
        cut as well, and so makes every earlier commit durable too. An exception in `work` undoes its changes alone.
        """

    def close(self) -> None:
        """Ends all connections. Idempotent."""
