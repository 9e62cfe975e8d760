"""The flags that scripts pass to `mlflow server`, and what each of them means here.

A flag that changes something here does so; one that has nothing to change is answered by a sentence in the log, and none
is dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from treadle.faces.cli.signatures import UsageWrong


@dataclass(slots=True)
class Meaning:
    """What flags come to: settings to be changed, and sentences to be said."""

    settings: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def meaning_of(
    *,
    backend_store_uri: str | None = None,
    registry_store_uri: str | None = None,
    default_artifact_root: str | None = None,
    artifacts_destination: str | None = None,
    workers: int | None = None,
    gunicorn_opts: str | None = None,
    uvicorn_opts: str | None = None,
    app_name: str | None = None,
    no_serve_artifacts: bool = False,
    artifacts_only: bool = False,
    expose_prometheus: str | None = None,
) -> Meaning:
    """What these flags mean. Raises UsageWrong for one that asks for what cannot be had."""
    meaning = Meaning()
    if backend_store_uri:
        _store(meaning, backend_store_uri)
    if registry_store_uri and registry_store_uri != backend_store_uri:
        meaning.notes.append("--registry-store-uri: the registry lives in the same store as the runs")
    if default_artifact_root:
        meaning.settings["artifact_root"] = default_artifact_root
    if artifacts_destination:
        meaning.settings["artifacts"] = _folder_or_bucket(artifacts_destination)
    if artifacts_only:
        raise UsageWrong(
            "--artifacts-only is not possible here.",
            why="Artifacts are known by what they belong to, which is in the store.",
            fix="Leave the flag out.",
        )
    if no_serve_artifacts and not default_artifact_root:
        raise UsageWrong(
            "--no-serve-artifacts needs --default-artifact-root.", why="Clients have to put their files somewhere."
        )
    if workers is not None and workers != 1:
        meaning.notes.append(f"--workers {workers}: one process answers; it needs no others")
    if gunicorn_opts or uvicorn_opts:
        meaning.notes.append("options of gunicorn and uvicorn: there is one server here, which takes none")
    if app_name:
        meaning.notes.append(
            f"--app-name {app_name}: credentials are asked for as soon as there are users: treadle users add"
        )
    if expose_prometheus:
        meaning.notes.append("--expose-prometheus: the numbers are at /metrics and need no folder")
    return meaning


def _store(meaning: Meaning, uri: str) -> None:
    scheme = urlsplit(uri).scheme
    if scheme.startswith(("postgresql", "postgres")):
        meaning.settings["store"] = "postgresql://" + uri.partition("://")[2]
        return
    path = _local_path(uri)
    if path is None:
        raise UsageWrong(
            f"Rows cannot live in {scheme}://….",
            why="A store is SQLite in the home, or PostgreSQL.",
            fix="--backend-store-uri postgresql://USER@HOST/DATABASE, or leave it out",
        )
    if path.exists():
        raise UsageWrong(
            f"{path} is a store of MLflow's, which is read but not written here.",
            fix=f"Bring it in once: treadle import mlflow {uri}. Then start without --backend-store-uri.",
        )
    meaning.notes.append(f"--backend-store-uri {uri}: rows live in the home, in treadle.db")


def _folder_or_bucket(uri: str) -> str:
    path = _local_path(uri)
    return uri if path is None else str(path)


def _local_path(uri: str) -> Path | None:
    """The path that a URI without a host names (`sqlite:///x.db`, `file:/x`, `./x`); None for any other place."""
    parts = urlsplit(uri)
    if parts.scheme == "sqlite":
        return Path(uri.removeprefix("sqlite:///"))
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri).expanduser() if "://" not in uri else None
