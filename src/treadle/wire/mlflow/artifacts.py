"""Artifacts as they stand on the wire: listings, uploads in parts, signed addresses, media types."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

_TEXT = frozenset(
    [
        "txt",
        "log",
        "err",
        "cfg",
        "conf",
        "cnf",
        "cf",
        "ini",
        "properties",
        "prop",
        "hocon",
        "toml",
        "yaml",
        "yml",
        "xml",
        "json",
        "js",
        "py",
        "py3",
        "csv",
        "tsv",
        "md",
        "rst",
        "ipynb",
        "MLmodel",
        "MLproject",
    ]
)
"""Endings (and names without one) that clients and pages expect as plain text, whatever the system's table says."""


class Entry(Protocol):
    """A line of a listing."""

    @property
    def path(self) -> str: ...
    @property
    def is_dir(self) -> bool: ...
    @property
    def size_bytes(self) -> int | None: ...


class CreateMultipart(msgspec.Struct):
    """`path` is the file on the client's machine, of which only the last part is a name here."""

    path: str
    num_parts: int = 0


class PartDone(msgspec.Struct):
    part_number: int = 0
    etag: str = ""


class CompleteMultipart(msgspec.Struct):
    path: str
    parts: list[PartDone]
    upload_id: str = ""


class AbortMultipart(msgspec.Struct):
    path: str
    upload_id: str = ""


class ListFolder(msgspec.Struct):
    path: str | None = None


class ListOfRun(msgspec.Struct):
    run_id: str = ""
    run_uuid: str = ""
    path: str | None = None


class ListOfModel(msgspec.Struct):
    artifact_directory_path: str | None = None


class PresignUpload(msgspec.Struct):
    path: str
    run_id: str = ""
    model_id: str = ""
    expiration: int = 900


class PresignDownload(msgspec.Struct):
    run_id: str
    path: str
    expiration: int = 300


def listing(entries: Iterable[Entry], *, below: str = "", root_uri: str | None = None) -> dict[str, Any]:
    """The answer to a listing. below: what goes before each path."""
    beginning = f"{below}/" if below else ""
    files: list[dict[str, Any]] = []
    for entry in entries:
        told: dict[str, Any] = {"path": beginning + entry.path, "is_dir": entry.is_dir}
        if entry.size_bytes is not None:
            told["file_size"] = entry.size_bytes
        files.append(told)
    answer: dict[str, Any] = {} if root_uri is None else {"root_uri": root_uri}
    return answer | ({"files": files} if files else {})


def multipart(upload_id: str, addresses: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """The answer to the begin of an upload in parts. addresses: (number, address) of each part."""
    credentials = [{"url": url, "part_number": number, "headers": {}} for number, url in addresses]
    return {"upload_id": upload_id, "credentials": credentials}


def last_name(path: str) -> str:
    """The name of a file by its path on a machine of whatever kind."""
    return path.replace("\\", "/").rpartition("/")[2]


def media_type(name: str) -> str:
    """The media type that a file of this name is served with."""
    ending = name.rpartition(".")[2]
    if ending in _TEXT:
        return "text/plain"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def etag(digest: str) -> str:
    """The entity tag of some bytes: their digest, quoted."""
    return f'"{digest}"'


def is_among(digest: str, header: str) -> bool:
    """Whether an If-None-Match (or If-Match) names these bytes."""
    tags = {part.strip().removeprefix("W/").strip('"') for part in header.split(",")}
    return digest in tags or header.strip() == "*"
