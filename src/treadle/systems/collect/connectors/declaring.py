"""Sources as the operator declares them in `treadle.toml`: a name, a kind, options of that kind, a dataset.

    [sources.orders]
    kind = "sql"
    url = "postgresql://reader@db/shop"
    password = "secret://shop-db"
    table = "orders"
    cursor = "updated_at"
    schedule = "*/10 * * * *"

What is declared here is all that can be run by name: a client never sends a location, a query, or code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from treadle.ground.errors import did_you_mean
from treadle.ground.plugins import Plugins
from treadle.kernel.engine.cron import parse
from treadle.systems.collect.connectors.credentials import holds_password, refuse_plain, without_password
from treadle.systems.collect.connectors.errors import SecretInPlainText, SourceDeclarationInvalid
from treadle.systems.collect.ports import Source
from treadle.systems.collect.writing import Evolution

_AT = "treadle.systems.collect.connectors"
KINDS = Plugins(
    "treadle.connectors",
    {
        "files": f"{_AT}.files:FilesSource",
        "http": f"{_AT}.http:HttpSource",
        "kafka": f"{_AT}.kafka:KafkaSource",
        "nats": f"{_AT}.nats:NatsSource",
        "objects": f"{_AT}.objects:ObjectsSource",
        "postgres_changes": f"{_AT}.postgres_changes:PostgresChangesSource",
        "sql": f"{_AT}.sql:SqlSource",
    },
)
"""By kind, the class of its options. An installed distribution may offer more."""

_SHORTEST_S = 0.1
SECRET_OPTIONS = ("password", "token", "api_key", "secret_access_key", "sas_token")


class Options(Protocol):
    """The options of a kind: a msgspec struct that can open the source."""

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> Source:
        """The source. root: the folder that relative paths start from. Nothing connects before it is read."""


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What sources of every kind are declared with.

    dataset: where rows land (default: the source's name). schedule: a cron expression; every_s: an interval instead.
    mismatch: what becomes of rows that do not fit the dataset's columns. new_columns: whether columns may be added. types: columns by type, in the words of the Delta
    protocol.
    """

    kind: str
    dataset: str = ""
    schedule: str = ""
    every_s: float = 0.0
    event_column: str | None = None
    mismatch: Literal["refuse", "quarantine"] = "refuse"
    new_columns: Literal["add", "refuse"] = "add"
    types: dict[str, str] = {}

    @property
    def evolution(self) -> Evolution:
        return Evolution(mismatch=self.mismatch, new_columns=self.new_columns)


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A declared source."""

    name: str
    common: Common
    options: dict[str, Any]
    root: Path

    @property
    def dataset(self) -> str:
        return self.common.dataset or self.name

    def open(self) -> Source:
        """The source, ready to be read.

        Raises SourceDeclarationInvalid, SecretInPlainText, PluginNotFound, InvalidSchedule.
        """
        if self.common.schedule:
            parse(self.common.schedule)
        for option in SECRET_OPTIONS:
            refuse_plain(option, self.options.get(option))
        url = self.options.get("url", "")
        if isinstance(url, str) and holds_password(url):
            raise SecretInPlainText(
                f"The `url` of the source {self.name!r} holds a password.",
                fix='Take it out, and name it: password = "secret://NAME" and the variable TREADLE_SECRET_NAME.',
                source=self.name,
            )
        for option in ("headers", "params", "config"):
            for inner, value in dict(self.options.get(option) or {}).items():
                if _is_secret(inner):
                    refuse_plain(f"{option}.{inner}", str(value))
        options: Options = self._converted(KINDS.load(self.common.kind))
        return options.open(self.name, self.root, dict(self.common.types))

    def shown(self) -> dict[str, Any]:
        """The options as they may be shown. Credentials are references, or this would not have been declared."""
        return {
            name: "•••" if name in SECRET_OPTIONS and "://" not in str(value) else _shown(value)
            for name, value in self.options.items()
        }

    def _converted(self, kind: Any) -> Any:
        try:
            return msgspec.convert(self.options, kind)
        except msgspec.ValidationError as error:
            fields = [field.name for field in msgspec.structs.fields(kind)]
            unknown = [name for name in self.options if name not in fields]
            raise SourceDeclarationInvalid(
                f"The source {self.name!r} cannot be declared so: {error}.",
                why=did_you_mean(unknown[0], fields) if unknown else f"A source of the kind {self.common.kind!r}.",
                fix=f"Mend [sources.{self.name}] in treadle.toml.",
                source=self.name,
            ) from error


def _is_secret(name: str) -> bool:
    """Whether an option inside another says by its name that it is a credential."""
    words = re.split(r"[^a-z]+", name.lower())
    return bool({"authorization", "cookie", "secret", "token", "password", "apikey", "sas", "key"} & set(words))


def declared_sources(tables: Mapping[str, object], root: Path) -> dict[str, Declared]:
    """The sources of `treadle.toml` by name. Raises SourceDeclarationInvalid."""
    return {name: _declared(name, table, root) for name, table in tables.items()}


def _declared(name: str, table: object, root: Path) -> Declared:
    if not isinstance(table, dict) or "kind" not in table:
        raise SourceDeclarationInvalid(
            f"The source {name!r} has no kind.",
            why=f"Kinds: {', '.join(KINDS.names())}.",
            fix=f'Begin it so: [sources.{name}] and kind = "sql"',
            source=name,
        )
    ours = {field.name for field in msgspec.structs.fields(Common)}
    try:
        common = msgspec.convert({key: value for key, value in table.items() if key in ours}, Common)
    except msgspec.ValidationError as error:
        raise SourceDeclarationInvalid(f"The source {name!r} cannot be declared so: {error}.", source=name) from error
    if common.every_s < 0 or (common.every_s and common.every_s < _SHORTEST_S):
        raise SourceDeclarationInvalid(f"`every_s` of the source {name!r} must be {_SHORTEST_S} or more.", source=name)
    if common.schedule and common.every_s:
        raise SourceDeclarationInvalid(f"The source {name!r} has both `schedule` and `every_s`.", source=name)
    options = {key: value for key, value in table.items() if key not in ours}
    return Declared(name=name, common=common, options=options, root=root)


def _shown(value: Any) -> Any:
    if isinstance(value, str) and "://" in value and not value.startswith(("secret://", "env://")):
        return without_password(value)
    if isinstance(value, dict):
        return {key: _shown(inner) for key, inner in value.items()}
    return value
