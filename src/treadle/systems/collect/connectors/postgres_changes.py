"""Changes of a PostgreSQL table by logical decoding: each insert, update and delete lands once, with its commit.

A replication slot keeps what was not read yet. Changes are peeked at, landed, and only then is the slot advanced: a kill
between the two shows them again, and they are known by the position of their commit, which is the cursor. The first landing is a
copy of the table in the very snapshot in which the slot begins, so copy and changes meet without a gap or an overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.systems.collect.connectors.change_rows import Tables
from treadle.systems.collect.connectors.credentials import redacted, with_password, without_password
from treadle.systems.collect.connectors.errors import PositionLost, SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.limits import Count
from treadle.systems.collect.connectors.looking import Look
from treadle.systems.collect.connectors.steps import Known, Step, SteppedSource
from treadle.wire.pgoutput import ColumnType, lsn_of, lsn_text

try:
    import psycopg
    from psycopg import sql
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("psycopg", "postgres", "Reading the changes of PostgreSQL") from error

_QUIET_BYTES = 16 << 20
"""A slot that holds back more of the log than this for changes of other tables is moved on by an empty landing."""
_IDENTITY = {"d": "default", "n": "nothing", "f": "full", "i": "index"}


class PostgresChangesSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the changes of a table are declared with.

    table: `orders` or `schema.orders`. slot, publication: their names (default: `treadle_` and the source's name); both are made
    when they are not there. initial: whether the rows that the table has already are landed first. batch_changes: about how
    many changes a landing holds; a transaction is never divided.
    """

    url: str
    table: str
    password: str | None = None
    slot: str = ""
    publication: str = ""
    initial: Literal["copy", "none"] = "copy"
    batch_changes: Count = 50_000

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SteppedSource:
        """The source. Nothing connects before it is read."""
        own = "treadle_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())[:50]
        named = msgspec.structs.replace(self, slot=self.slot or own, publication=self.publication or own)
        return SteppedSource(name, ChangeReader(named), types)


class _At(msgspec.Struct, frozen=True):
    """The end of the last transaction that has landed."""

    lsn: str


class ChangeReader:
    """Reads a table's changes from where it stands up to what was committed when the run began."""

    def __init__(self, asked: PostgresChangesSource) -> None:
        self._asked = asked
        schema, _, self._table = asked.table.rpartition(".")
        self._schema = schema or "public"

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        with self._connection() as connection, self._errors():
            self._check(connection)
            if at is None:
                yield from self._first(connection)
                return
            last = lsn_of(msgspec.convert(at, _At).lsn)
            self._check_slot(connection, last)
            yield from self._changes(connection, last)

    def look(self, rows: int) -> Look:
        """The first rows of the table; neither slot nor publication is made."""
        with self._connection() as connection, self._errors():
            problems = []
            try:
                self._check(connection)
            except SourceRefused as error:
                problems = [" ".join(error.sentences())]
            columns = self._columns(connection)
            statement = sql.SQL("select {} from {} limit {}").format(*self._selection(columns), sql.Literal(rows))
            found = connection.execute(statement).fetchall()
            return Look(frame=Tables.copied(columns, found, None), problems=problems)

    def _first(self, connection: Any) -> Iterator[Step]:
        """Makes publication and slot, and copies the table as it is where the slot begins."""
        self._publish(connection)
        exists = connection.execute("select 1 from pg_replication_slots where slot_name = %s", [self._asked.slot])
        if exists.fetchone() is not None:  # of a run that ended before its first landing stood
            connection.execute("select pg_drop_replication_slot(%s)", [self._asked.slot])
        with psycopg.connect(self._url(), autocommit=True, replication="database") as walsender:
            create = f'CREATE_REPLICATION_SLOT "{self._asked.slot}" LOGICAL pgoutput EXPORT_SNAPSHOT'
            made = walsender.pgconn.exec_(create.encode())
            if made.status != psycopg.pq.ExecStatus.TUPLES_OK:
                raise SourceRefused(
                    f"{self._where} makes no replication slot: {redacted(made.error_message.decode().strip())}.",
                    fix="The user needs the right to replicate: ALTER ROLE … REPLICATION.",
                )
            begins, snapshot = ((made.get_value(0, place) or b"").decode() for place in (1, 2))
            place = msgspec.to_builtins(_At(begins))
            origin = {**self._origin(), "from": begins}
            yield Step(frames=self._copy(connection, snapshot, lsn_of(begins)), at=place, origin=origin)

    def _copy(self, connection: Any, snapshot: str, begins: int) -> Iterator[pl.DataFrame]:
        if self._asked.initial == "none":
            return
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
            columns = self._columns(connection)
            statement = sql.SQL("select {} from {}").format(*self._selection(columns))
            position = 0
            with connection.cursor(name="treadle_copy") as found:
                found.itersize = self._asked.batch_changes
                found.execute(statement)
                while rows := found.fetchmany(self._asked.batch_changes):
                    yield Tables.copied(columns, rows, begins, position)
                    position += len(rows)

    def _changes(self, connection: Any, last: int) -> Iterator[Step]:
        asked = self._asked
        target = lsn_of(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
        tables = Tables(self._schema, self._table, self._key(connection))
        self._advance(connection, last)  # what landed before a kill
        while last < target:
            found = connection.execute(
                "select data from pg_logical_slot_peek_binary_changes(%s, %s, %s, 'proto_version', '1', "
                "'publication_names', %s)",
                [asked.slot, lsn_text(target), asked.batch_changes, asked.publication],
                binary=True,
            )
            batch = tables.read((bytes(row[0]) for row in found), after=last)
            if batch.end is None:
                break
            last = batch.end
            if batch.frames:
                origin = {**self._origin(), "transactions": batch.transactions, "to": lsn_text(last)}
                yield Step(frames=batch.frames, at=msgspec.to_builtins(_At(lsn_text(last))), origin=origin)
                self._advance(connection, last)
        behind = connection.execute(
            "select pg_wal_lsn_diff(%s, confirmed_flush_lsn) from pg_replication_slots where slot_name = %s",
            [lsn_text(target), asked.slot],
        ).fetchone()
        if behind is not None and behind[0] > _QUIET_BYTES and target > last:
            yield Step(frames=(), at=msgspec.to_builtins(_At(lsn_text(target))), origin=self._origin())
            self._advance(connection, target)

    def _advance(self, connection: Any, lsn: int) -> None:
        connection.execute("select pg_replication_slot_advance(%s, %s)", [self._asked.slot, lsn_text(lsn)])

    def _check(self, connection: Any) -> None:
        level = connection.execute("show wal_level").fetchone()[0]
        if level != "logical":
            raise SourceRefused(
                f"{self._where} does not keep what logical decoding needs: its wal_level is {level!r}.",
                why="Changes are read from the server's log, which holds them from the level 'logical' on.",
                fix="Set wal_level = logical and restart the server. Where that is not to be had, read the table by a cursor "
                'column instead: the kind `sql` with cursor = "updated_at" (deletions do not show there).',
            )
        encoding = connection.execute("show server_encoding").fetchone()[0]
        if encoding != "UTF8":
            raise SourceRefused(
                f"{self._where} stores its texts as {encoding}, and changes are read from databases in UTF8 alone.",
                fix="Read the table by a cursor column instead: the kind `sql`.",
            )
        found = connection.execute(
            "select c.relreplident::text, exists (select 1 from pg_index i where i.indrelid = c.oid and i.indisprimary) "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p')",
            [self._schema, self._table],
        ).fetchone()
        if found is None:
            raise SourceRefused(f"{self._where} has no table {self._asked.table!r}.", fix="Is its schema named?")
        identity, has_key = found
        if identity == "n" or (identity == "d" and not has_key):
            raise SourceRefused(
                f"The table {self._asked.table!r} has nothing by which a changed row is known.",
                why=f"It has no primary key, and its replica identity is {_IDENTITY[identity]!r}: once published, the server "
                "would refuse every update and delete of it, also those of your application.",
                fix=f"Give it a primary key, or: ALTER TABLE {self._asked.table} REPLICA IDENTITY FULL",
            )

    def _check_slot(self, connection: Any, last: int) -> None:
        found = connection.execute(
            "select confirmed_flush_lsn::text, wal_status from pg_replication_slots where slot_name = %s",
            [self._asked.slot],
        ).fetchone()
        lost = "it is gone" if found is None else "it was given up by the server" if found[1] == "lost" else ""
        if found is not None and not lost and lsn_of(found[0]) > last:
            lost = f"it has moved on to {found[0]}, and what landed last ended at {lsn_text(last)}"
        if lost:
            raise PositionLost(
                f"The replication slot {self._asked.slot!r} no longer has what comes next: {lost}.",
                why="Changes that were committed meanwhile cannot be read any more.",
                fix="Declare the table as a source of another name and dataset: it begins with a copy of the table.",
            )

    def _publish(self, connection: Any) -> None:
        asked = self._asked
        table = sql.Identifier(self._schema, self._table)
        found = connection.execute(
            "select exists (select 1 from pg_publication_tables where pubname = %s and schemaname = %s and tablename = %s), "
            "exists (select 1 from pg_publication where pubname = %s)",
            [asked.publication, self._schema, self._table, asked.publication],
        ).fetchone()
        if found[0]:
            return
        verb = "alter publication {} add table {}" if found[1] else "create publication {} for table {}"
        connection.execute(sql.SQL(verb).format(sql.Identifier(asked.publication), table))

    def _columns(self, connection: Any) -> list[ColumnType]:
        found = connection.execute(
            "select a.attname, a.atttypid::bigint, a.atttypmod from pg_attribute a join pg_class c on c.oid = a.attrelid "
            "join pg_namespace n on n.oid = c.relnamespace where n.nspname = %s and c.relname = %s and a.attnum > 0 "
            "and not a.attisdropped and a.attgenerated = '' order by a.attnum",
            [self._schema, self._table],
        )
        return [ColumnType(name, type, modifier, False) for name, type, modifier in found]

    def _selection(self, columns: list[ColumnType]) -> tuple[Any, Any]:
        """The columns as the text that replication sends too, and the table."""
        listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in columns)
        return listed, sql.Identifier(self._schema, self._table)

    def _key(self, connection: Any) -> list[str]:
        found = connection.execute(
            "select a.attname from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) "
            "where i.indisprimary and n.nspname = %s and c.relname = %s",
            [self._schema, self._table],
        )
        return [row[0] for row in found]

    def _origin(self) -> dict[str, Any]:
        return {"database": self._where, "table": f"{self._schema}.{self._table}", "slot": self._asked.slot}

    @property
    def _where(self) -> str:
        return without_password(self._asked.url)

    def _url(self) -> str:
        return with_password(self._asked.url, self._asked.password)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        try:
            connection = psycopg.connect(self._url(), autocommit=True, connect_timeout=30)
        except psycopg.OperationalError as error:
            raise SourceUnreachable(
                f"{self._where} cannot be reached: {redacted(str(error).strip())}.",
                fix="Is it up, and are user, password and database those of the source?",
            ) from error
        with connection:
            connection.execute("set time zone 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 1")
            connection.execute("set bytea_output = 'hex'; set intervalstyle = 'postgres'")
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.ObjectInUse as error:
            raise SourceUnreachable(
                f"The replication slot {self._asked.slot!r} is being read by another process.",
                fix="Run it again later.",
            ) from error
        except psycopg.OperationalError as error:
            raise SourceUnreachable(f"{self._where} broke off: {redacted(str(error).strip())}.") from error
        except psycopg.Error as error:
            raise SourceRefused(
                f"{self._where} refuses: {redacted(str(error).strip())}.",
                fix="Reading changes needs the right to replicate, to read the table, and to make a publication of it.",
            ) from error
