"""Where a version's files may come from.

A client names a source in its own words. It is looked at as text only: nothing is opened under it, no host in it is
contacted. What this store keeps is taken from the run or the logged model that holds it and from nowhere else; other
places (`s3://…`) are recorded and left alone.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, unquote_plus, urlparse, urlsplit

from treadle.systems.train.registry.errors import BadSource

PROMPT_SOURCES = frozenset({"dummy-source", "prompt-template"})
"""What clients write as the source of a prompt's text, which has none."""

_FOREIGN = frozenset({"ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss"})
"""Schemes that name a host which the server would have to call."""

_ROUTE = ("api", "2.0", "mlflow-artifacts", "artifacts")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a `models:/` source asks for: a logged model, or a version of a registered one."""

    logged_model: str | None = None
    name: str | None = None
    version: str | None = None
    stage: str | None = None
    alias: str | None = None


Kind = Literal["local", "runs", "models", "kept", "elsewhere"]


def kind_of(source: str) -> Kind:
    """What a source is: `kept` in this server's store, `local` to a client, by `runs:` or `models:`, or `elsewhere`."""
    scheme = urlparse(source).scheme
    if scheme in ("", "file"):
        return "local"
    if scheme in ("runs", "models"):
        return scheme  # type: ignore[return-value]
    return "kept" if _is_kept(source) else "elsewhere"


def check_host(source: str) -> None:
    """Raises BadSource for a host that would have to be called."""
    parsed = urlparse(source)
    if parsed.scheme in _FOREIGN or (parsed.scheme == "mlflow-artifacts" and parsed.netloc):
        raise BadSource(
            f"'source' cannot use the '{parsed.scheme}' scheme: the '{parsed.scheme}' scheme addresses a host other than "
            "the tracking server's configured artifact storage, so the server would connect to the host named in the URI. "
            "Upload the files as artifacts of a run, and register them from there."
        )
    if parsed.scheme == "models" and parsed.netloc:
        raise BadSource(
            f"Invalid model version source: '{source}'. Registered model sources must use the active model registry."
        )


def check_path(source: str) -> None:
    """Raises BadSource for a path that steps upward, however it is encoded."""
    if kind_of(source) == "local":
        return
    plain = source
    while (decoded := unquote_plus(plain)) != plain:
        plain = decoded
    path = re.sub(r"/+", "/", urlparse(plain).path.rstrip("/"))
    if "\x00" in path or ".." in plain.split("/") or not path.startswith("/") or posixpath.normpath(path) != path:
        raise BadSource(
            f"Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, ftp, "
            "objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references "
            "present. Please provide an absolute path."
        )


def wanted(source: str) -> Wanted:
    """What a `models:/` source asks for. Raises BadSource."""
    parsed = urlparse(source, allow_fragments=False)
    parts = parsed.path.lstrip("/").split("/")
    is_proper = parsed.path.startswith("/") and len(parsed.path) > 1 and len(parts) <= 2
    if parsed.netloc or not is_proper or any(not part.strip() for part in parts):
        raise foreign(source, "model_id")
    if len(parts) == 2:
        name, suffix = parts
        if suffix.isdecimal():
            return Wanted(name=name, version=suffix)
        return Wanted(name=name) if suffix.lower() == "latest" else Wanted(name=name, stage=suffix)
    if "@" in parts[0]:
        name, _, alias = parts[0].rpartition("@")
        if not alias.strip():
            raise foreign(source, "model_id")
        return Wanted(name=name, alias=alias)
    return Wanted(logged_model=parts[0])


def run_and_path(source: str) -> tuple[str, str]:
    """The run of a `runs:/` source, and the path below its artifacts. Raises BadSource."""
    parsed = urlparse(source)
    run_id, _, path = parsed.path.lstrip("/").partition("/")
    if parsed.netloc or not run_id:
        raise foreign(source, "run_id")
    return run_id, path


def is_within(source: str, root: str) -> bool:
    """Whether a location lies at or below another one."""
    given, holding = _parts(source), _parts(root)
    return given[:2] == holding[:2] and bool(holding[2]) and given[2][: len(holding[2])] == holding[2]


def foreign(source: str, parameter: str) -> BadSource:
    """The error for files that do not belong to whom the request names."""
    return BadSource(
        f"Invalid model version source: '{source}'. The {parameter} request parameter must identify the resource that "
        "contains the source."
    )


def local(source: str, parameter: str) -> BadSource:
    """The error for a path on some machine's disk."""
    return BadSource(
        f"Invalid model version source: '{source}'. To use a local path as a model version source, the {parameter} request "
        "parameter has to be specified and the local path has to be contained within the artifact directory of the run "
        f"specified by the {parameter}."
    )


def _is_kept(source: str) -> bool:
    scheme, _, parts = _parts(source)
    routes = (parts[at : at + len(_ROUTE)] for at in range(len(parts)))
    return scheme == "mlflow-artifacts" or (scheme in ("http", "https") and _ROUTE in routes)


def _parts(uri: str) -> tuple[str, str, tuple[str, ...]]:
    parsed = urlsplit(uri)
    return parsed.scheme.lower(), parsed.netloc.lower(), tuple(_plain(part) for part in parsed.path.split("/") if part)


def _plain(part: str) -> str:
    while (decoded := unquote(part)) != part:
        part = decoded
    return part
