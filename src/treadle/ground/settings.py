"""Every setting of Treadle: its name, its unit, its default, and where its value came from.

One place, because a value that can be set in three ways must be explained in one. Later sources win: the default, then
`treadle.toml` of the project, then the environment (`TREADLE_` and the name in capitals), then a flag of the command
line. `treadle config show` prints the table; `docs/reference/settings.md` is generated from it.

The module stands on the ground floor and imports next to nothing, since every command waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, overload

from treadle.ground.errors import InvalidInput, did_you_mean

T = TypeVar("T")

FILE_NAME = "treadle.toml"
PREFIX = "TREADLE_"
SOURCES = "sources"
"""The table of `treadle.toml` in which sources of data are declared: no setting, and read by those who run them."""
EXECUTORS = ("in-process", "pool", "ray")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class SettingInvalid(InvalidInput):
    """A setting has a value that it cannot have, or a name that none has."""

    code = "settings.invalid"


class Value(NamedTuple):
    """What a setting was given, and by whom."""

    value: object
    origin: str
    """`default`, `flag --port`, `environment TREADLE_PORT`, or the path of the file."""


class Setting(Generic[T]):
    """One declared setting; read on `Settings`, it is the value."""

    def __init__(self, parse: Callable[[object], T], default: T, meaning: str, *, secret: bool = False) -> None:
        self.parse, self.default, self.meaning, self.secret = parse, default, meaning, secret

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    @overload
    def __get__(self, settings: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, settings: Settings, owner: type) -> T: ...
    def __get__(self, settings: Settings | None, owner: type) -> Setting[T] | T:
        return self if settings is None else settings.values[self.name].value  # type: ignore[return-value]


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("it must be a text")
    return raw


def _path(raw: object) -> Path:
    text = os.fspath(raw) if isinstance(raw, os.PathLike) else _text(raw)
    if not text:
        raise ValueError("it must name a folder")
    return Path(text).expanduser()


def _claim(raw: object) -> bool:
    word = str(raw).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("it must be true or false")
    return word in _TRUE


def _whole(least: int, most: int | None = None) -> Callable[[object], int]:
    def parse(raw: object) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise ValueError("it must be a whole number")
        number = int(raw)
        if number < least or (most is not None and number > most):
            raise ValueError(f"it must be {least} or more" if most is None else f"it must be {least} to {most}")
        return number

    return parse


def _port_or_none(raw: object) -> int | None:
    return None if raw is None or raw == "" else _whole(0, 65535)(raw)


def _positive(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("it must be a number")
    number = float(raw)
    if not 0 < number < float("inf"):
        raise ValueError("it must be more than 0")
    return number


def _share(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("it must be a number")
    number = float(raw)
    if not 0 <= number <= 1:
        raise ValueError("it must be 0 to 1")
    return number


def _one_of(*known: str) -> Callable[[object], str]:
    def parse(raw: object) -> str:
        if raw not in known:
            raise ValueError(f"it must be one of {', '.join(known)}")
        return str(raw)

    return parse


def _name(raw: object) -> str:
    text = _text(raw)
    letters = text.replace("-", "").replace("_", "").replace(".", "")
    if not (letters.isascii() and letters.isalnum() and text == text.lower() and text[:1].isalnum() and len(text) < 64):
        raise ValueError("it must be small letters, digits, '-', '_' and '.', at most 63, and begin with no sign")
    return text


def _store_url(raw: object) -> str:
    text = _text(raw)
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("it must be empty (SQLite in the home) or begin with postgresql://")
    return text


def _online_url(raw: object) -> str:
    text = _text(raw)
    if text not in ("", "lmdb") and not text.startswith(("redis://", "rediss://", "postgresql://", "postgres://")):
        raise ValueError("it must be empty (SQLite in the home), lmdb, or begin with redis:// or postgresql://")
    return text


def _artifacts_url(raw: object) -> str:
    text = _text(raw)
    if "://" in text and not text.startswith("s3://"):
        raise ValueError("it must be empty (a folder in the home), a folder, or begin with s3://")
    return text


def _mail_url(raw: object) -> str:
    text = _text(raw)
    if text and not text.startswith(("smtp://", "smtps://")):
        raise ValueError("it must be empty (no mail is sent) or begin with smtp:// or smtps://")
    return text


def _server_url(raw: object) -> str:
    text = _text(raw).rstrip("/")
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("it must be empty (work in this process) or begin with http:// or https://")
    return text


class Settings:
    """The settings of one process: read an attribute for a value, `origin_of` for where it came from."""

    home = Setting(_path, Path(".treadle"), "The folder with the store, the artifacts, logs and the API's token.")
    project = Setting(_name, "default", "The project that everything belongs to: runs, refs, events, permissions.")
    store = Setting(
        _store_url, "", "Where rows live: empty for SQLite in the home, or a postgresql:// URL.", secret=True
    )
    online_store = Setting(
        _online_url,
        "",
        "Where features are read online: empty for SQLite in the home, lmdb, redis://…, or postgresql://….",
        secret=True,
    )
    served_share = Setting(
        _share, 0.1, "The share of online reads of features whose vectors are logged, to be checked for skew; 0 to 1."
    )
    artifacts = Setting(_artifacts_url, "", "Where bytes live: empty for a folder in the home, a folder, or s3://….")
    artifact_root = Setting(
        _text, "", "Where experiments without a location of their own put artifacts: empty for here, through the proxy."
    )
    server = Setting(_server_url, "", "The API that commands talk to: empty to work in this process.")
    token = Setting(_text, "", "The token for `server`; when empty, that of the home's file api.token.", secret=True)
    host = Setting(_text, "127.0.0.1", "The address that `treadle up` listens on; loopback only.")
    port = Setting(_whole(0, 65535), 4700, "The port that `treadle up` listens on; 0 takes a free one.")
    serve_port = Setting(_whole(0, 65535), 4701, "The port of the model server of `treadle up`; 0 takes a free one.")
    serve_grpc_port = Setting(
        _port_or_none, None, "Where the model server answers gRPC too: a port, or 0 for a free one; empty for none."
    )
    body_max_bytes = Setting(_whole(1024), 64 << 20, "The largest request body that the API reads.")
    executor = Setting(_one_of(*EXECUTORS), "in-process", "Where steps run: in-process, pool or ray.")
    workers = Setting(_whole(0), 0, "Processes in the pool; 0 for one a core.")
    allow_pickle = Setting(_claim, False, "Whether pickled models may be stored and loaded. Loading one runs its code.")
    allow_private_webhooks = Setting(
        _claim, False, "Whether webhooks may call this host and private networks. Only where every user is trusted."
    )
    allow_http_webhooks = Setting(_claim, False, "Whether webhooks may be called without TLS.")
    smtp_url = Setting(
        _mail_url,
        "",
        "Through which server alerts are mailed: smtp://user:password@host:587, or smtps://.",
        secret=True,
    )
    mail_sender = Setting(_text, "treadle@localhost", "From whom mails come.")
    query_timeout_s = Setting(_positive, 60.0, "How long one SQL query on datasets may take.")
    query_memory_bytes = Setting(_whole(1 << 20), 2 << 30, "How much memory one SQL query on datasets may take.")
    recover_after = Setting(
        _whole(1), 3, "Clean landings in a row after which an incident about data counts as recovered."
    )
    retention_days = Setting(_whole(1), 30, "How long clean-up leaves what no name, pin or deployment holds.")
    lease_s = Setting(_positive, 30.0, "How long a run that gives no sign of life is believed to be alive.")
    heartbeat_s = Setting(
        _positive,
        1.0,
        "How often a run gives a sign of life and looks whether it was cancelled; a third of lease_s at most.",
    )

    def __init__(self, values: Mapping[str, Value], project_root: Path) -> None:
        self.values = dict(values)
        self.project_root = project_root
        """The folder of the nearest treadle.toml or pyproject.toml upward, or the working folder."""

    def origin_of(self, name: str) -> str:
        """Where the value of a setting came from."""
        return self.values[name].origin

    def sheet(self) -> Iterator[tuple[Setting[Any], object, str]]:
        """Each setting with its value and its origin, in the order of declaration; secrets are masked."""
        for setting in declared():
            value, origin = self.values[setting.name]
            yield setting, "…" if setting.secret and value else value, origin


def declared() -> list[Setting[Any]]:
    """Every setting, in the order of declaration."""
    return [entry for entry in vars(Settings).values() if isinstance(entry, Setting)]


def find_project_root(start: Path) -> Path:
    """The nearest folder upward with a treadle.toml or a pyproject.toml; `start` itself when there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file() or (folder / "pyproject.toml").is_file():
            return folder
    return start


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings as seen from a folder (default: the working folder).

    flags: values of the command line by setting name; None means that the flag was not given.
    Raises SettingInvalid, which names the setting, its origin, and what it may be.
    """
    folder = (folder or Path.cwd()).absolute()
    root = find_project_root(folder)
    values = {setting.name: Value(setting.default, "default") for setting in declared()}
    values["home"] = Value(root / ".treadle", "default")
    written = _read_file(root / FILE_NAME)
    written.pop(SOURCES, None)
    for name, raw in written.items():
        values[name] = _parsed(name, raw, str(root / FILE_NAME), base=root)
    environ = os.environ if environ is None else environ
    for setting in declared():
        if setting.variable in environ:
            origin = f"environment {setting.variable}"
            values[setting.name] = _parsed(setting.name, environ[setting.variable], origin, base=folder)
    for name, raw in (flags or {}).items():
        if raw is not None:
            values[name] = _parsed(name, raw, f"flag --{name.replace('_', '-')}", base=folder)
    return _agreeing(Settings(values, root))


def sources_of(root: Path) -> dict[str, object]:
    """The sources of data that the `treadle.toml` of a folder declares, by name. Raises SettingInvalid."""
    raw = _read_file(root / FILE_NAME).get(SOURCES, {})
    if not isinstance(raw, dict):
        raise SettingInvalid(
            f"`sources` is no table (in: {root / FILE_NAME}).", fix="Declare each source in one: [sources.orders]"
        )
    return raw


def _read_file(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path} is not valid TOML.", why=str(error), fix="Mend that line.") from error


def _parsed(name: str, raw: object, origin: str, *, base: Path) -> Value:
    setting = vars(Settings).get(name)
    if not isinstance(setting, Setting):
        raise SettingInvalid(
            f"There is no setting {name!r} (in: {origin}).",
            why=did_you_mean(name, (entry.name for entry in declared())),
            fix="List them with: treadle config show",
            setting=name,
        )
    try:
        value = setting.parse(raw)
    except ValueError as error:
        shown = "…" if setting.secret else repr(raw)
        reason = str(error) if str(error).startswith("it must") else "it must be a number"
        raise SettingInvalid(
            f"The setting {name} cannot be {shown} (from: {origin}).",
            why=f"{setting.meaning} Here {reason}.",
            fix=f"Change it there; the default is {setting.default!r}.",
            setting=name,
        ) from error
    if isinstance(value, Path):
        value = base / value
    elif name == "artifacts" and value and "://" not in value:
        value = str(base / Path(value).expanduser())
    return Value(value, origin)


def _agreeing(settings: Settings) -> Settings:
    """The settings, once those that depend on each other agree."""
    if settings.heartbeat_s * 3 > settings.lease_s:
        raise SettingInvalid(
            f"heartbeat_s ({settings.heartbeat_s:g}) is more than a third of lease_s ({settings.lease_s:g}).",
            why="A run that misses two signs of life would be taken for dead while it is alive.",
            fix="Raise lease_s or lower heartbeat_s.",
            setting="heartbeat_s",
        )
    return settings
