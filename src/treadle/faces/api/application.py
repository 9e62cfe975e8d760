"""The ASGI application: the verbs' routes, /health, /metrics, the OpenAPI document, and the guard around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from treadle.faces.api import openapi
from treadle.faces.api.answers import json_response, problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.contract_documents import document_routes
from treadle.faces.api.errors import MethodNotAllowed, PathNotFound
from treadle.faces.api.guarding import Doorkeeper, Guard
from treadle.faces.api.metering import Meter
from treadle.faces.api.routes import caller_of, verb_route
from treadle.ground.errors import TreadleError, did_you_mean
from treadle.kernel.governance import Bound


def build(
    bound: Mapping[str, Bound],
    authenticator: Authenticator,
    *,
    version: str,
    hosts: Iterable[str] | None = (),
    body_max_bytes: int = 64 << 20,
    foreign_routes: Iterable[BaseRoute] = (),
    inside: Iterable[Middleware] = (),
    meter: Meter | None = None,
) -> Starlette:
    """The application over some bound verbs.

    hosts: names beside the loopback's under which the server is reached; None for any, see `Doorkeeper`.
    foreign_routes: routes of other protocols, which find their caller and call the same verbs.
    inside: what requests pass after the guard.
    meter: what counts the calls, where others count with it.
    """
    meter = meter or Meter()
    described = openapi.document({name: entry.verb for name, entry in bound.items()}, version)
    paths = [f"/api/v1/{entry.verb.noun}/{entry.verb.action}" for entry in bound.values()]

    async def health(request: Request) -> Response:
        return json_response({"status": "ok", "version": version})

    async def metrics(request: Request) -> Response:
        (await caller_of(request, authenticator)).require("metrics.read")
        return PlainTextResponse(meter.text(), media_type="text/plain; version=0.0.4")

    async def describe(request: Request) -> Response:
        if authenticator.knows_users:
            await caller_of(request, authenticator)
        return json_response(described)

    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = _not_found(request, paths) if error.status_code == 404 else _wrong_method(request, error)
        return problem_response(error)

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/api/v1/openapi.json", describe),
            *(verb_route(entry, authenticator, meter) for entry in bound.values()),
            *document_routes(bound, authenticator),
            *foreign_routes,
        ],
        middleware=[Middleware(Guard, doorkeeper=Doorkeeper(hosts), body_max_bytes=body_max_bytes), *inside],
        exception_handlers={HTTPException: refuse, TreadleError: refuse},
    )


def _not_found(request: Request, paths: Iterable[str]) -> PathNotFound:
    path = request.url.path
    return PathNotFound(
        f"There is nothing at {path}.", why=did_you_mean(path, paths), fix="All paths: /api/v1/openapi.json"
    )


def _wrong_method(request: Request, error: HTTPException) -> MethodNotAllowed:
    allowed = (error.headers or {}).get("Allow", "")
    return MethodNotAllowed(f"{request.method} is not possible at {request.url.path}.", fix=f"Use: {allowed}")
