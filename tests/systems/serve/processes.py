"""A server process for tests: the supervisor that users get, with a client on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from treadle.systems.serve.supervisor import ServerProcess


@dataclass(frozen=True)
class Server:
    process: ServerProcess
    http: httpx.Client

    def infer(self, endpoint: str, body: Any, **keywords: Any) -> httpx.Response:
        return self.http.post(f"/v2/models/{endpoint}/infer", json=body, **keywords)


@contextmanager
def start_server(serving: Path, **settings: Any) -> Iterator[Server]:
    process = ServerProcess.start(serving, **settings)
    try:
        with httpx.Client(base_url=process.url, timeout=10) as http:
            yield Server(process, http)
    finally:
        process.stop()
