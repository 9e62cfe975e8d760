"""Where the database and stream servers of the tests are; a test that lacks one skips, and says which."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import pytest

MARIADB = os.environ.get("TREADLE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test")
NATS = os.environ.get("TREADLE_TEST_NATS", "nats://127.0.0.1:4222")


def needs(url: str, what: str, variable: str) -> None:
    """Skips the test, loudly, where nothing listens at the address."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=1).close()
    except OSError:
        pytest.skip(f"no {what} at {url}: start one, or name it in {variable}")
