"""The home's token: whoever can read the folder may use the API, and no other program on the machine.

Loopback is not trust: a page in a browser and every other user of the machine reach 127.0.0.1 too.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from treadle.ground.errors import Denied

FILE_NAME = "api.token"


class TokenFileOpen(Denied):
    """The token's file can be read by others."""

    code = "api.token_file_open"


def home_token(home: Path) -> str:
    """The token of a home, made at the first call: 256 random bits in a file that its owner alone can read.

    Two processes that make it at once get the same one. Raises TokenFileOpen when others can read the file.
    """
    path = home / FILE_NAME
    if not path.exists():
        _create(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise TokenFileOpen(
            f"Other users can read {path}.",
            why="Whoever has this token may do everything in this home.",
            fix=f"chmod 600 {path}, or delete the file: a new one is made.",
        )
    return path.read_text(encoding="ascii").strip()


def find_home_token(home: Path) -> str:
    """The token of a home, or an empty text where none was made."""
    return home_token(home) if (home / FILE_NAME).exists() else ""


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its token holds
    finally:
        draft.unlink()
