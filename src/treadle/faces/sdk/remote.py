"""The transport over HTTP: the API of a home or of a team.

Paths, bodies and answers follow from the verbs' declarations, as the API's routes do. An error comes back as the class that
the service raised, where this process knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from treadle.faces.problems import error_of
from treadle.ground.errors import TreadleError, Unavailable
from treadle.kernel.governance import Verb

_JSON = {"Content-Type": "application/json"}


class ServerUnreachable(Unavailable):
    """The API does not answer."""

    code = "client.server_unreachable"


class AnswerBroken(Unavailable):
    """An answer ended too early, or is no answer of a Treadle API."""

    code = "client.answer_broken"


class OverHttp:
    """Calls the API at `url` with a token.

    timeout_s: how long one answer, or one item of a stream, may take; None waits.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        project: str = "default",
        timeout_s: float | None = 60.0,
    ) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "X-Treadle-Project": project},
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            trust_env=False,
        )

    def invoke(self, verb: Verb, request: Any) -> Any:
        try:
            answer = self._http.post(_path(verb), content=_body(request), headers=_JSON)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _problem_of(answer)
        return _decoded(answer.content, verb.answer_type())

    def stream(self, verb: Verb, request: Any) -> Iterator[Any]:
        try:
            with self._http.stream("POST", _path(verb), content=_body(request), headers=_JSON) as answer:
                if answer.is_error:
                    answer.read()
                    raise _problem_of(answer)
                yield from _items(answer, verb)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        self._http.close()

    def _unreachable(self, error: httpx.TransportError) -> ServerUnreachable:
        return ServerUnreachable(
            f"The API at {self.url} does not answer.",
            why=str(error) or type(error).__name__,
            fix="Start it with: treadle up. Or unset TREADLE_SERVER to work in this process.",
            server=self.url,
        )


def _path(verb: Verb) -> str:
    return f"/api/v1/{verb.noun}/{verb.action}"


def _body(request: Any) -> bytes:
    return b"{}" if request is None else msgspec.json.encode(request)


def _decoded(content: bytes | str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise AnswerBroken("The API's answer cannot be read.", why=str(error), fix="Is its version another?") from error


def _items(answer: httpx.Response, verb: Verb) -> Iterator[Any]:
    """Each line is an item, the end, or the error that ended it; without an end the stream was cut off."""
    kind = verb.answer_type()
    for line in answer.iter_lines():
        part = _decoded(line, dict[str, msgspec.Raw])
        if "item" in part:
            yield _decoded(bytes(part["item"]), kind)
        elif "problem" in part:
            raise error_of(_decoded(bytes(part["problem"]), dict[str, Any]))
        elif "end" in part:
            return
    raise AnswerBroken("The API's answer ended in the middle.", fix="Call it again.")


def _problem_of(answer: httpx.Response) -> TreadleError:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return error_of(_decoded(answer.content, dict[str, Any]))
    return AnswerBroken(
        f"The API answered {answer.status_code} without saying why.",
        why=answer.text[:200],
        fix="Is this address a Treadle API?",
    )
