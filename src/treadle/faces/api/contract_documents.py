"""Contracts as pages for a browser: `/api/v1/contracts/page.html?dataset=…` and `/api/v1/contracts/index.html`.

What they show is what the verbs `contracts.page` and `contracts.list` answer, asked in the caller's name. No script, and
nothing from elsewhere, is let into such a page by its own headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from treadle.faces.api.answers import problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.routes import caller_of
from treadle.faces.requests import from_query
from treadle.kernel.governance import Bound, Caller

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def document_routes(bound: Mapping[str, Bound], authenticator: Authenticator) -> list[Route]:
    """The two routes; none where the verbs are not bound."""
    if "contracts.page" not in bound or "contracts.list" not in bound:
        return []

    async def one(request: Request) -> Response:
        query = request.query_params
        try:
            caller = await caller_of(request, authenticator)
            asked = from_query(bound["contracts.page"].verb, {name: query.getlist(name) for name in query})
            return await run_in_threadpool(_page, caller, asked)
        except Exception as error:  # the outermost loop of this face: answered as a problem
            return problem_response(error)

    async def all_of_them(request: Request) -> Response:
        try:
            return await run_in_threadpool(_index, await caller_of(request, authenticator))
        except Exception as error:  # the same
            return problem_response(error)

    def _page(caller: Caller, asked: Any) -> Response:
        from treadle.faces.contract_pages import contract_page

        return HTMLResponse(contract_page(bound["contracts.page"].call(caller, asked)), headers=_HEADERS)

    def _index(caller: Caller) -> Response:
        from treadle.faces.contract_pages import index_page

        page = bound["contracts.page"]
        names = [one.dataset for one in bound["contracts.list"].call(caller)]
        pages = [page.call(caller, from_query(page.verb, {"dataset": [name]})) for name in names]
        address = "page.html?dataset={}"
        return HTMLResponse(index_page(pages, address=address), headers=_HEADERS)

    return [
        Route("/api/v1/contracts/page.html", one, methods=["GET"]),
        Route("/api/v1/contracts/index.html", all_of_them, methods=["GET"]),
    ]
