"""One request of the protocol and its answer, apart from HTTP: the same handlers serve a socket and `treadle://`.

An area's module lists its routes; a handler is a plain function from `Exchange` to `Answer`, or to a `Sink` for a body
that is not held in memory. It calls the services' verbs with the exchange's caller, so the permission check cannot be
gone around.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeVar

import msgspec

from treadle.faces.api.mlflow.reading import read_body, read_query
from treadle.wire.mlflow.errors import ProtocolError

if TYPE_CHECKING:
    from treadle.assembly import Workspace
    from treadle.kernel.governance import Caller

S = TypeVar("S")

_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request, decoded once.

    path: without the prefix `/api/` or `/ajax-api/`, decoded.
    parameters: what stands in the place of the pattern's `{name}`s.
    query, headers: headers have small letters.
    body: empty for an upload, whose bytes go to its sink.
    caller: who asks, in which project. base_url: under which the client reaches this server, without a slash at the end.
    """

    method: str
    path: str
    caller: Caller
    workspace: Workspace
    parameters: dict[str, str] = field(default_factory=dict)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""

    def read(self, kind: type[S]) -> S:
        """The request as a msgspec struct: the query of a GET that has one, else the JSON body. Raises ProtocolError."""
        if self.method == "GET" and self.query:
            return read_query(kind, self.query)
        if self.method in ("POST", "PUT"):
            self._require_json()
        return read_body(kind, self.body)

    def _require_json(self) -> None:
        media = self.headers.get("content-type")
        if media == "application/json":
            return
        if media is None:
            raise ProtocolError("INVALID_PARAMETER_VALUE", "Bad Request. Content-Type header is missing.")
        if media.partition(";")[0].strip().lower() != "application/json":
            raise ProtocolError(
                "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type should be one of ['application/json']."
            )


@dataclass(slots=True, kw_only=True)
class Answer:
    """What goes back. With a file, its bytes follow from where it stands, and it is closed afterwards.

    size_bytes: how many bytes the file gives; None where that is not known, and then no range of it is served.
    filename: offers the bytes as a download of this name.
    """

    status: int = 200
    body: bytes = b"{}"
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    file: BinaryIO | None = None
    size_bytes: int | None = None
    filename: str | None = None


def answered(value: Any) -> Answer:
    """A value as JSON: dictionaries, structs and dataclasses.

    NaN and the infinities have no form in JSON; records write them as text before they come here.
    """
    return Answer(body=_ENCODER.encode(value))


class Sink(Protocol):
    """Takes an upload in pieces, several at once where they are small. Exactly one of `commit` and `abort` follows, whatever happens on the way.

    small_bytes: an upload of at most so many bytes is a matter of a few small statements, as a `quick` route's.
    """

    small_bytes: int

    def write(self, *pieces: bytes | memoryview) -> None: ...

    def commit(self) -> Answer: ...

    def abort(self) -> None: ...


Handler = Callable[[Exchange], Answer]
UploadHandler = Callable[[Exchange], Sink]

Pace = Literal["quick", "slow", "upload"]
"""`quick`: a few small statements, under 1 ms, answered on the event loop where the store is embedded. `slow`: in a worker
thread. `upload`: the handler answers a sink, and the body is streamed into it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: a path such as `2.0/mlflow/runs/create`, served under `/api/` and `/ajax-api/`, or an absolute one.

    `{name}` stands for one segment of the path, `{name:path}` for the rest of it.
    is_public: answers without credentials, also where every other route asks for them.
    """

    method: str
    path: str
    handler: Handler | UploadHandler
    pace: Pace = "quick"
    is_public: bool = False
