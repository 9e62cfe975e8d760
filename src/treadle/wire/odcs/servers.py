"""Where data may be, by the standard: each kind of server with the fields that it needs and those that it may have.

Source: bitol-io/open-data-contract-standard, version 3.2.0, as facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.wire.odcs.positions import Path

_COMMON: dict[str, type] = {"id": str, "server": str, "type": str, "description": str, "environment": str}
_COMMON |= {"roles": list, "customProperties": list}

_KINDS: dict[str, tuple[str, str]] = {
    "api": ("location", ""),
    "athena": ("schema", "stagingDir catalog regionName workgroup"),
    "azure": ("location format", "encoding delimiter"),
    "bigquery": ("project dataset", ""),
    "btrieve": ("host database", "port"),
    "clickhouse": ("host port database", ""),
    "cloudsql": ("host port database schema", ""),
    "custom": ("", "account catalog database dataset delimiter endpointUrl format encoding host location path port project region regionName schema serviceName stagingDir warehouse stream"),
    "databricks": ("catalog schema", "host"),
    "db2": ("host port database", "schema"),
    "denodo": ("host port", "database"),
    "dremio": ("host port", "schema"),
    "duckdb": ("database", "schema"),
    "exasol": ("host", "port schema"),
    "fastobjects": ("database", "host port"),
    "glue": ("account database", "location format encoding"),
    "hana": ("host", "port database schema"),
    "hive": ("host database", "port"),
    "iceberg": ("catalog catalogUrl", "namespace warehouse"),
    "impala": ("host database", "port"),
    "informix": ("host database", "port"),
    "ingres": ("database host", "port"),
    "kafka": ("host", "format encoding"),
    "kinesis": ("", "region format encoding"),
    "local": ("path format", "encoding"),
    "mysql": ("host port database", ""),
    "oracle": ("host port serviceName", ""),
    "poet": ("database", "host port"),
    "postgres": ("host port database schema", ""),
    "postgresql": ("host port database schema", ""),
    "presto": ("host", "catalog schema"),
    "pubsub": ("project", ""),
    "redshift": ("database schema", "host region account"),
    "s3": ("location", "endpointUrl format encoding delimiter"),
    "sftp": ("location", "format encoding delimiter"),
    "snowflake": ("account database schema", "host port warehouse"),
    "sqlserver": ("host database schema", "port"),
    "synapse": ("host port database", ""),
    "teradata": ("host", "port database"),
    "trino": ("host port catalog schema", ""),
    "vectorwise": ("database host", "port"),
    "versant": ("database", "host port"),
    "vertica": ("host port database schema", ""),
    "zen": ("host database", "port"),
}  # fmt: skip


def problems_of_server(server: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """What is wrong with one server."""
    kind = server.get("type")
    for name in ("server", "type"):
        if name not in server:
            yield path, f"{name!r} is missing"
    if not isinstance(kind, str):
        if "type" in server:
            yield (*path, "type"), "the kind of a server is text"
        return
    if kind not in _KINDS:
        yield (*path, "type"), f"the kind of server {kind!r} is not known. {did_you_mean(kind, list(_KINDS))}"
        return
    needed, possible = (words.split() for words in _KINDS[kind])
    for name in needed:
        if name not in server:
            yield path, f"a server of type {kind} needs {name!r}"
    for name, value in server.items():
        wanted: Any = _COMMON.get(name, (str, int) if name == "port" else str)
        if name not in {*_COMMON, *needed, *possible}:
            known = did_you_mean(name, [*needed, *possible])
            yield (*path, name), f"{name!r} is not known of a server of type {kind}. {known}".strip()
        elif not isinstance(value, wanted) or isinstance(value, bool):
            yield (*path, name), f"expected {'text' if wanted is str else 'a list' if wanted is list else 'a port'}"
