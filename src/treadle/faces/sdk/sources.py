"""Sources to land from, for scripts and pipelines: `td.dataset("orders").land(sources.sql(...))`.

    from treadle import sources

    orders = sources.sql("postgresql://reader@db/shop", password=td.secret("shop-db"), table="orders", cursor="updated_at")
    td.dataset("orders").land(orders)

A source is known by its `name` in the dataset's cursor: give two sources of one dataset two names. What unattended runs are
to use is declared in treadle.toml instead, with the same options, and run by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from treadle.kernel.engine.secrets import Secret
    from treadle.systems.collect.connectors.files import SettledFiles
    from treadle.systems.collect.connectors.objects import BucketObjects
    from treadle.systems.collect.connectors.steps import SteppedSource

__all__ = [
    "current", "dlt", "files", "http", "kafka", "nats", "objects", "postgres_changes", "source", "sql",
]  # fmt: skip


def source(
    function: Callable[..., Iterable[Any]] | None = None,
    *,
    name: str | None = None,
    cursor: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """A Python function as a source, as a decorator with or without options; also `td.source`.

    It yields frames (Polars, Arrow, pandas), lists of dicts, or dicts. With `cursor`, a column that only grows, the function is
    given the newest value and each row lands once. Without: a function that takes an argument yields pairs (rows, place) and is
    given the last place again; one that takes none yields all there is, in place of what was there, or in addition with
    mode="append". options: key, overlap, mode, batch_rows.
    """
    from treadle.systems.collect.connectors.functions import FunctionReader
    from treadle.systems.collect.connectors.steps import SteppedSource

    def made(chosen: Callable[..., Iterable[Any]]) -> SteppedSource:
        known = name or str(getattr(chosen, "__name__", "function"))
        return SteppedSource(known, FunctionReader(chosen, name=known, cursor=cursor, **options), types)

    return made if function is None else made(function)


def dlt(
    resource: Any,
    *,
    name: str | None = None,
    cursor: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """A resource of dlt, or any iterable of records and frames, as a source; dlt itself is not needed here.

    A dlt source has several resources: give one, `github.resources["issues"]`. What its incremental leaves out is dlt's affair;
    with `cursor` and `key` rows that have landed are recognised here too. options: key, overlap, mode, batch_rows.
    """
    from treadle.systems.collect.connectors.functions import resource_reader
    from treadle.systems.collect.connectors.steps import SteppedSource

    known = name or str(getattr(resource, "name", "") or getattr(resource, "__name__", "resource"))
    return SteppedSource(known, resource_reader(resource, name=known, cursor=cursor, **options), types)


def files(
    pattern: str, *, name: str | None = None, types: Mapping[str, str] | None = None, **options: Any
) -> SettledFiles:
    """The files that match a pattern, each landed once when it is whole: CSV, JSON lines, Parquet, also zipped.

    options: format, encoding, separator, null_values, malformed, settle_s. Raises SourceDeclarationInvalid.
    """
    opened: SettledFiles = _opened("files", name or pattern, {"pattern": pattern, **options}, types)
    return opened


def http(
    url: str,
    *,
    records: str = "",
    token: str | Secret | None = None,
    paging: Mapping[str, Any] | None = None,
    since: Mapping[str, Any] | None = None,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """An HTTP API that answers in JSON, JSON lines, CSV or Parquet, page by page.

    records: the path of the list in the body. paging: `{"style": "page" | "offset" | "cursor" | "link", …}`. since:
    `{"param": …, "field": …}` asks for what changed since the newest record that has landed. options: see the kind `http` in
    docs/how-to/collect-data.md. Raises SourceDeclarationInvalid.
    """
    given = {"url": url, "records": records, "token": token, "paging": paging, "since": since, **options}
    opened: SteppedSource = _opened("http", name or url.partition("?")[0], given, types)
    return opened


def kafka(
    servers: str,
    *,
    topic: str,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """The messages of a Kafka topic, from the cursor to what it holds when the landing begins.

    options: security, mechanism, user, password, ca_file, group, format, malformed, start, on_gap, isolation, max_messages, max_bytes,
    max_wait_s, timeout_s.
    """
    given = {"servers": servers, "topic": topic, **options}
    opened: SteppedSource = _opened("kafka", name or topic, given, types)
    return opened


def nats(
    url: str,
    *,
    stream: str,
    subject: str | None = None,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """The messages of a NATS JetStream, from the cursor to what the stream holds when the landing begins.

    options: user, password, token, credentials_file, format, malformed, on_gap, max_messages, max_bytes, max_wait_s.
    """
    given = {"url": url, "stream": stream, "subject": subject, **options}
    opened: SteppedSource = _opened("nats", name or stream, given, types)
    return opened


def objects(
    url: str,
    *,
    pattern: str = "**",
    config: Mapping[str, Any] | None = None,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> BucketObjects:
    """The objects of a bucket that match a pattern, each landed once as it was: S3, Google Cloud Storage, Azure.

    url: `s3://bucket/prefix`. config: endpoint, region, access_key_id, … as obstore names them; credentials by `td.secret`.
    options: format, encoding, separator, null_values, malformed, allow_http, max_bytes. Raises SourceDeclarationInvalid.
    """
    given = {"url": url, "pattern": pattern, "config": config, **options}
    opened: BucketObjects = _opened("objects", name or url, given, types)
    return opened


def postgres_changes(
    url: str,
    *,
    table: str,
    password: str | Secret | None = None,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """The changes of a PostgreSQL table by logical decoding: a copy first, then each insert, update and delete.

    `current` gives the table that they add up to. options: slot, publication, initial, batch_changes.
    """
    given = {"url": url, "table": table, "password": password, **options}
    opened: SteppedSource = _opened("postgres_changes", name or table, given, types)
    return opened


def current(changes: pl.LazyFrame | pl.DataFrame, key: str | Sequence[str]) -> pl.LazyFrame:
    """The table that the landed changes of `postgres_changes` add up to: the newest row of each key that is not deleted."""
    from treadle.systems.collect.connectors.changes import current as folded

    return folded(changes, key)


def sql(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    cursor: str | None = None,
    password: str | Secret | None = None,
    name: str | None = None,
    types: Mapping[str, str] | None = None,
    **options: Any,
) -> SteppedSource:
    """A table or a query of SQLite, PostgreSQL, MySQL or MariaDB.

    With `cursor`, a column that only grows, each landing reads what came since; without it, all of it, in place of what was
    there. options: columns, key, overlap, batch_rows. Raises SourceDeclarationInvalid.
    """
    given = {"url": url, "table": table, "query": query, "cursor": cursor, "password": password, **options}
    opened: SteppedSource = _opened("sql", name or table or "query", given, types)
    return opened


def _opened(kind: str, name: str, options: Mapping[str, Any], types: Mapping[str, str] | None) -> Any:
    import msgspec

    from treadle.systems.collect.connectors.declaring import KINDS
    from treadle.systems.collect.connectors.errors import SourceDeclarationInvalid

    chosen = {key: _named(value) for key, value in options.items() if value is not None}
    try:
        asked = msgspec.convert(chosen, KINDS.load(kind))
    except msgspec.ValidationError as error:
        raise SourceDeclarationInvalid(f"A source of the kind {kind!r} cannot be made so: {error}.") from error
    return asked.open(name, Path.cwd(), dict(types or {}))


def _named(value: Any) -> Any:
    """A secret as the reference by which a declaration names it; it is looked up when the source connects."""
    from treadle.kernel.engine.secrets import Secret

    if isinstance(value, Mapping):
        return {key: _named(inner) for key, inner in value.items()}
    return f"secret://{value.name}" if isinstance(value, Secret) else value
