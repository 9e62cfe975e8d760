"""Routes that answer a page in place of JSON: the same verb, the same permission, drawn for people."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from treadle.faces.api.answers import problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.routes import caller_of
from treadle.faces.requests import from_query
from treadle.kernel.governance import Bound

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""A page loads nothing and runs nothing, whatever the names in it say."""


def page_routes(bound: Mapping[str, Bound], authenticator: Authenticator) -> list[Route]:
    """`GET /pages/datasets/NAME/profile?at=…`: what the columns of a snapshot hold."""
    profile = bound["profiles.get"]

    async def answer(request: Request) -> Response:
        from treadle.faces.pages.dataset_profile import profile_page

        try:
            caller = await caller_of(request, authenticator)
            query = {name: request.query_params.getlist(name) for name in request.query_params}
            asked = from_query(profile.verb, {"bars": ["40"], **query, "dataset": [request.path_params["name"]]})
            found = await run_in_threadpool(profile.call, caller, asked)
            text = await run_in_threadpool(profile_page, found)
        except Exception as error:  # the outermost loop of this face: answered as a problem, logged by reference
            return problem_response(error)
        return HTMLResponse(text, headers=_HEADERS)

    return [Route("/pages/datasets/{name}/profile", answer, methods=["GET"], name="pages.profile")]
