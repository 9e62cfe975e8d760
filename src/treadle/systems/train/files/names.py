"""Which texts can be the path of a file, and which never are.

A path is the key of a row and no location: nothing on this host is ever opened under it. It is refused all the same
where it could be taken for one, here or on the machine of whoever downloads a folder: steps upward, absolute paths,
drive letters, backslashes, control characters. The text has been URL-decoded once when it comes here; that further
decoding would reveal such a thing is a reason to refuse it, and never a reason to decode it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from treadle.systems.train.files.errors import BadFileName

MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
_DECODINGS = 8
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\\\\#\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"[A-Za-z]:")
_ROUTE = "/mlflow-artifacts/artifacts/"


def checked_path(path: str) -> str:
    """The path of a file, as it is. Raises BadFileName."""
    if not path or path.endswith("/"):
        raise _bad(path, "It does not end in the name of a file.")
    _check(path)
    return path


def checked_folder(path: str) -> str:
    """The path of a folder without slashes at its end; empty for the folder of all folders. Raises BadFileName."""
    path = path.rstrip("/") if path.strip("/") else ""
    if path:
        _check(path)
    return path


def split(path: str) -> tuple[str, str]:
    """(folder, name) of a path."""
    folder, _, name = path.rpartition("/")
    return folder, name


def joined(folder: str, path: str) -> str:
    """A path below a folder; either may be empty."""
    return f"{folder}/{path}" if folder and path else folder or path


def folder_of_uri(uri: str) -> str | None:
    """The folder that an artifact location names: `mlflow-artifacts:/0/…`, or an address of a server's artifacts.

    None for a location that no server of ours keeps (`s3://…`, a path on a client's machine).
    """
    parts = urlsplit(uri)
    if parts.query or parts.fragment:
        return None
    if parts.scheme == "mlflow-artifacts":
        return checked_folder(parts.path.lstrip("/"))
    if parts.scheme in ("http", "https") and _ROUTE in parts.path:
        return checked_folder(parts.path.partition(_ROUTE)[2].lstrip("/"))
    return None


def _check(path: str) -> None:
    _check_form(path)
    for _ in range(_DECODINGS):
        decoded = unquote(path)
        if decoded == path:
            return
        path = decoded
        _check_form(path)
    raise _bad(path, "It is encoded many times over.")


def _check_form(path: str) -> None:
    found = _REFUSED.search(path)
    if found is not None:
        raise _bad(path, f"It holds the character {found[0]!r}.")
    if len(path) > MAX_PATH_BYTES or len(path.encode()) > MAX_PATH_BYTES:
        raise _bad(path, f"It is longer than {MAX_PATH_BYTES} bytes.")
    if _DRIVE.match(path):
        raise _bad(path, "It begins with the letter of a drive.")
    for name in path.split("/"):
        if name in ("", ".", ".."):
            raise _bad(path, "It is absolute, or has an empty part, or one that is a step." if not name else _STEP)
        if len(name.encode()) > MAX_NAME_BYTES:
            raise _bad(path, f"A part of it is longer than {MAX_NAME_BYTES} bytes.")


_STEP = "A part of it is a step to this or the folder above."


def _bad(path: str, why: str) -> BadFileName:
    return BadFileName(
        "Invalid path",
        why=f"{path[:200]!r} cannot be the path of an artifact. {why}",
        fix="Use a relative path of plain names with / between them.",
    )
