"""A proxy between a stock client and a server that notes every call: method, path, status, and the error code if any.

It stands outside of both, so that the client is the unchanged one and nothing of the server's own counts. Bodies are held
whole; programs that move gigabytes do not go through it.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request and how it was answered."""

    method: str
    path: str
    status: int
    error_code: str
    detail: str

    @property
    def is_unknown(self) -> bool:
        """Whether the server did not know what was asked of it, or broke."""
        return self.status >= 500 or self.status == 405 or self.error_code in _UNKNOWN or self._is_bare_404

    @property
    def _is_bare_404(self) -> bool:
        return self.status == 404 and not self.error_code


_UNKNOWN = {"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"}


class Recorder:
    """Listens on a free port of loopback while it is entered, and passes everything on to `port`."""

    def __init__(self, port: int) -> None:
        self.calls: list[Call] = []
        recorder = self

        class Handler(_Passing):
            def note(self, call: Call) -> None:
                recorder.calls.append(call)

        Handler.upstream = port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing waits until each connection is done with
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def unknown(self) -> list[Call]:
        """The calls that the server had no answer for."""
        return [call for call in self.calls if call.is_unknown]

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, name="recorder", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = 0
    _kept: http.client.HTTPConnection | None = None

    def note(self, call: Call) -> None:
        """Told of each call."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _pass(self) -> None:
        body = self._body()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_HOP}
        if self._kept is None:
            self._kept = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=120)
        self._kept.request(self.command, self.path, body=body or None, headers=headers)
        answer = self._kept.getresponse()
        content = answer.read()
        self.note(_call(self.command, self.path, answer.status, content))
        self.send_response_only(answer.status, answer.reason)
        for name, value in _kept_headers(answer.getheaders()):
            self.send_header(name, value)
        if not (answer.status == 204 or self.command == "HEAD"):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass  # noqa: N815 - the base class's

    def finish(self) -> None:
        if self._kept is not None:
            self._kept.close()
        super().finish()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return b"".join(parts)


def _kept_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _OF_THE_HOP]


def _call(method: str, path: str, status: int, content: bytes) -> Call:
    code = ""
    if status >= 400:
        try:
            said = json.loads(content)
            code = str(said.get("error_code", "")) if isinstance(said, dict) else ""
        except ValueError:
            code = ""
    detail = content[:300].decode("utf-8", "replace") if status >= 400 else ""
    return Call(method=method, path=path.partition("?")[0], status=status, error_code=code, detail=detail)
