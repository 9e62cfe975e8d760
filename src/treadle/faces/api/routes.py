"""One route a verb: reads the request, finds the caller, calls the service in a thread, writes the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from treadle.faces.api.answers import json_response, problem_of, problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.errors import BodyNotJson
from treadle.faces.api.metering import Meter
from treadle.faces.requests import from_json, from_query
from treadle.kernel.governance import Bound, Caller

_END = object()


async def caller_of(request: Request, authenticator: Authenticator) -> Caller:
    """Who asks, and in which project. Raises Unauthenticated, ProjectInvalid, NoAccess."""
    authorization = request.headers.get("authorization", "")
    project = request.headers.get("x-treadle-project")
    known = authenticator.recall(authorization, project)
    if known is not None:
        return known
    return await run_in_threadpool(authenticator.identify, authorization, project)


def verb_route(bound: Bound, authenticator: Authenticator, meter: Meter) -> Route:
    """The route of one verb: POST with a JSON body, and for a read GET with query parameters too."""
    verb = bound.verb

    async def answer(request: Request) -> Response:
        with meter.measured(verb.name) as outcome:
            try:
                response = await _answer(request)
            except Exception as error:  # the outermost loop of this face: answered as a problem, logged by reference
                response = problem_response(error)
            outcome.status = response.status_code
            return response

    async def _answer(request: Request) -> Response:
        caller = await caller_of(request, authenticator)
        asked = await _request_of(request)
        arguments = (caller,) if asked is None else (caller, asked)
        result = await run_in_threadpool(bound.call, *arguments)
        if verb.shape == "stream":
            items = iter(result)
            first = await run_in_threadpool(next, items, _END)  # so that a refusal has its status
            return StreamingResponse(_lines(first, items), media_type="application/x-ndjson")
        return json_response(result, 202 if verb.shape == "run" else 200)

    async def _request_of(request: Request) -> Any:
        if request.method == "GET":
            query = request.query_params
            return from_query(verb, {name: query.getlist(name) for name in query})
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise BodyNotJson(
                "The body must be declared as JSON.",
                why=f"Its type is {media!r}." if media else "It has no type.",
                fix="Content-Type: application/json",
            )
        return from_json(verb, await request.body())

    methods = ["GET", "POST"] if verb.is_read else ["POST"]
    return Route(f"/api/v1/{verb.noun}/{verb.action}", answer, methods=methods, name=verb.name)


async def _lines(first: Any, items: Iterator[Any]) -> AsyncIterator[bytes]:
    """Each item on a line of its own, then the end: a stream that was cut off can be told from one that is over."""
    item = first
    try:
        while item is not _END:
            yield msgspec.json.encode({"item": item}) + b"\n"
            item = await run_in_threadpool(next, items, _END)
        yield b'{"end":true}\n'
    except Exception as error:  # the answer has begun: the problem travels as its last line
        yield msgspec.json.encode({"problem": problem_of(error)}) + b"\n"
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
