"""One connection to PostgreSQL, and several statements to a round trip.

psycopg's cursors wait for the answer of each statement, and a third of a millisecond goes for the five of a small write.
A `Line` speaks to libpq itself, in its pipeline mode: what nobody waits for (`begin`, a row that is put, `commit`) leaves
with the next statement whose answer is asked for. A write that reads one row and puts three takes two trips in place of six,
and a third of the client's time. Values go out and come back by psycopg's own adapters, in binary.

An error comes with the trip that its statement was on, and names that statement.
"""

from __future__ import annotations

import contextlib
import functools
import re
import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg
from psycopg import errors as pg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

from treadle.kernel.store import Parameters, Row, Statement, UniqueViolation
from treadle.kernel.store.ports import NOTHING

_MOST_WAITING = 512
"""So many statements leave at once, even if nobody asks for an answer."""
_MOST_PREPARED = 400
_CURSOR_ROWS = 2000
_BINARY = 1
_PLACE = re.compile(r"%\((\w+)\)s")
_GOOD = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY}
_CAN_POLL = hasattr(select, "poll")

_Kind = tuple[bytes, tuple[int, ...]]
"""A text with the types of its parameters: what is prepared is good for these alone."""


@dataclass(slots=True)
class _Call:
    """A statement with its values, on its way."""

    statement: Statement
    kind: _Kind
    values: Sequence[Any]
    formats: Sequence[pq.Format]


class Line:
    """See the module. For one thread at a time; between transactions `connection` is an ordinary one of psycopg."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._waiting: list[_Call] = []
        self._prepared: dict[_Kind, bytes] = {}
        self._seen: set[_Kind] = set()
        self._names = 0
        self._is_at_rest = True
        if _CAN_POLL:
            self._reading, self._both = select.poll(), select.poll()
            self._reading.register(self._pgconn.socket, select.POLLIN)
            self._both.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is open on it, and another transaction can begin."""
        status = self._pgconn.transaction_status
        return self._is_at_rest and status == pq.TransactionStatus.IDLE

    def begin(self, *statements: Statement) -> None:
        """Begins a transaction; nothing is sent before an answer is asked for."""
        if len(self._prepared) > _MOST_PREPARED:
            self._forget_prepared()
        self._pgconn.enter_pipeline_mode()
        for statement in statements:
            self.put(statement)

    def end(self, statement: Statement) -> None:
        """Sends what waits together with the statement that ends the transaction."""
        self.put(statement)
        self._exchange()
        self._pgconn.exit_pipeline_mode()

    def abandon(self, statement: Statement) -> None:
        """Ends the transaction by a statement that undoes it. What waits is not sent; a line that is lost is closed."""
        self._waiting.clear()
        if self._is_at_rest and self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self.put(statement)
            self._exchange()
        if self._is_at_rest:
            self._pgconn.exit_pipeline_mode()
            return
        with contextlib.suppress(psycopg.Error):
            self.connection.cancel()  # what this process was interrupted in should not go on there
        self.connection.close()

    def put(self, statement: Statement, parameters: Parameters = NOTHING) -> None:
        """Runs a statement with the next trip. Raises psycopg.DataError for a value that has no place in PostgreSQL."""
        text, names, wanted = _numbered(statement.postgresql)
        transformer = self._transformer
        values = transformer.dump_sequence([parameters[name] for name in names], wanted)
        self._waiting.append(_Call(statement, (text, transformer.types or ()), values, transformer.formats or ()))
        if len(self._waiting) >= _MOST_WAITING:
            self._exchange()

    def flush(self) -> None:
        """Runs what waits."""
        if self._waiting:
            self._exchange()

    def count(self, statement: Statement, parameters: Parameters) -> int:
        """How many rows a statement touched."""
        self.put(statement, parameters)
        return self._exchange().command_tuples or 0

    def first(self, statement: Statement, parameters: Parameters) -> Row | None:
        """The first row that a statement answers, or None."""
        rows = self._rows(statement, parameters, 1)
        return rows[0] if rows else None

    def rows(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Every row that a statement answers."""
        return self._rows(statement, parameters, None)

    def each(self, statement: Statement, parameters: Parameters) -> Iterator[Row]:
        """The rows one by one, of a cursor on the server."""
        self._names += 1
        name = f"each_{self._names}"
        self.put(_spoken(f"declare {name} no scroll cursor for {statement.postgresql}"), parameters)
        fetch = _spoken(f"fetch {_CURSOR_ROWS} from {name}")
        is_more = True
        while is_more:
            rows = self.rows(fetch, NOTHING)
            is_more = len(rows) == _CURSOR_ROWS
            yield from rows
        self.put(_spoken(f"close {name}"))

    def _rows(self, statement: Statement, parameters: Parameters, most: int | None) -> list[Row]:
        self.put(statement, parameters)
        result = self._exchange()
        count = result.ntuples if most is None else min(most, result.ntuples)
        if not count:
            return []
        transformer = self._transformer
        transformer.set_pgresult(result)
        try:
            return transformer.load_rows(0, count, tuple)
        finally:
            transformer.set_pgresult(None)

    # One trip

    def _exchange(self) -> pq.abc.PGresult:
        """Sends what waits and takes the answers; that of the last. Raises the error of the first that failed."""
        calls, self._waiting = self._waiting, []
        self._is_at_rest = False
        preparing = [self._send(call) for call in calls]
        self._pgconn.pipeline_sync()
        while self._pgconn.flush():
            self._wait(is_sending=True)
        failed = None
        for call, kind in zip(calls, preparing, strict=True):
            prepared = None if kind is None else self._take()
            result = self._take()
            bad = next((one for one in (prepared, result) if one is not None and one.status not in _GOOD), None)
            if kind is not None and bad is prepared:
                del self._prepared[kind]
            if bad is not None and failed is None:
                failed = (call.statement, bad)
        self._take_one()  # that all is told
        self._is_at_rest = True
        if failed is not None:
            self._fail(*failed)
        return result

    def _send(self, call: _Call) -> _Kind | None:
        """Sends a statement; its kind when it is prepared just before, as it is when it comes for the second time."""
        kind, new = call.kind, None
        name = self._prepared.get(kind)
        if name is None and kind in self._seen:
            self._names += 1
            name, new = b"treadle_%d" % self._names, kind
            self._prepared[kind] = name
            self._pgconn.send_prepare(name, *kind)
        if name is None:
            self._seen.add(kind)
            self._pgconn.send_query_params(kind[0], call.values, kind[1], call.formats, _BINARY)
        else:
            self._pgconn.send_query_prepared(name, call.values, call.formats, _BINARY)
        return new

    def _take(self) -> pq.abc.PGresult:
        """The answer to one call."""
        result = self._take_one()
        if result is None:
            raise psycopg.OperationalError("the connection is lost")
        while self._take_one() is not None:
            pass
        return result

    def _take_one(self) -> pq.abc.PGresult | None:
        pgconn = self._pgconn
        while pgconn.is_busy():
            self._wait(is_sending=False)
        return pgconn.get_result()

    def _wait(self, *, is_sending: bool) -> None:
        """Until the server has said something, or takes more; other threads run meanwhile."""
        if _CAN_POLL:
            (self._both if is_sending else self._reading).poll()
        else:
            socket = [self._pgconn.socket]
            select.select(socket, socket if is_sending else [], [])
        self._pgconn.consume_input()

    def _fail(self, statement: Statement, result: pq.abc.PGresult) -> NoReturn:
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(result.get_error_message().strip() or "the connection is lost")
        error = pg.error_from_result(result, self.connection.info.encoding)
        if isinstance(error, pg.UniqueViolation):
            why = f"{str(error).strip()} (in {statement.name})"
            raise UniqueViolation("A row with this key is already there.", why=why, statement=statement.name) from error
        raise error

    def _forget_prepared(self) -> None:
        self._prepared.clear()
        self._seen.clear()
        self.connection.execute("deallocate all")


def _spoken(text: str) -> Statement:
    """A statement of ours in PostgreSQL's words alone."""
    return Statement(text.partition(" ")[0], "", text)


@functools.lru_cache(4096)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...], tuple[PyFormat, ...]]:
    """A text with `$1` in the place of the first name, the names in that order, and how each value is to be sent."""
    names = tuple(dict.fromkeys(_PLACE.findall(text)))
    places = {name: f"${place}" for place, name in enumerate(names, start=1)}
    numbered = _PLACE.sub(lambda found: places[found[1]], text).replace("%%", "%")
    return numbered.encode(), names, (PyFormat.AUTO,) * len(names)
