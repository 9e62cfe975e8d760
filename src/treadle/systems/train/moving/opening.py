"""From an address to a store: a folder, a SQLite file, a server, or what the assembly knows to open by its scheme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from treadle.systems.train.moving.errors import NoMlflowStore
from treadle.systems.train.moving.folder_store import FolderStore
from treadle.systems.train.moving.places import Places
from treadle.systems.train.moving.ports import ForeignRows, MlflowStore
from treadle.systems.train.moving.server_store import ServerStore
from treadle.systems.train.moving.sql_store import SqlStore
from treadle.systems.train.moving.sqlite_rows import SqliteRows

OpenRows = Callable[[str], ForeignRows]


def open_store(
    address: str, artifacts: Sequence[Path], *, workspace: str = "default", databases: Mapping[str, OpenRows]
) -> MlflowStore:
    """The store at an address: a folder `mlruns`, the path or URL of a SQLite file, a URL of a database, or a server's.

    artifacts: the folders below which files may be opened; a folder `mlruns` is one of them by itself. databases: what
    opens the rows of other databases, by scheme. Raises NoMlflowStore.
    """
    scheme = urlsplit(address).scheme.partition("+")[0]
    if scheme in databases:
        name = address.rpartition("@")[2]
        return SqlStore(databases[scheme](address), name, Places(artifacts), workspace=workspace)
    if scheme in ("http", "https"):
        return ServerStore(address, Places(artifacts), workspace=workspace)
    if scheme not in ("", "file", "sqlite"):
        raise NoMlflowStore(
            f"A store at {scheme}:// cannot be brought in.",
            fix="Give a folder mlruns, sqlite:///path/to/mlflow.db, postgresql://…, or the http:// address of a server: "
            "for another database start `mlflow server` on it.",
        )
    path = Path(_path(address, scheme))
    if path.is_dir():
        return FolderStore(path, Places([path, *artifacts]))
    return SqlStore(SqliteRows(path), str(path), Places(artifacts), workspace=workspace)


def _path(address: str, scheme: str) -> str:
    if scheme == "sqlite":
        return address.partition(":///")[2]
    return unquote(urlsplit(address).path) if scheme == "file" else address
