"""Answers as HTTP responses: JSON by msgspec, errors as problem+json."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from starlette.responses import Response

from treadle.faces.problems import problem, unknown_problem
from treadle.ground.errors import TreadleError
from treadle.ground.ids import new_id

log = logging.getLogger("treadle.api")


def json_response(answer: Any, status: int = 200) -> Response:
    """An answer as JSON."""
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def problem_response(error: BaseException) -> Response:
    """An error as problem+json; one that is not ours says nothing of the inside, and its details go to the log."""
    document = problem_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if document["status"] == 401 else None
    return Response(
        msgspec.json.encode(document), document["status"], headers=headers, media_type="application/problem+json"
    )


def problem_of(error: BaseException) -> dict[str, Any]:
    """The problem document of any error."""
    if isinstance(error, TreadleError):
        return problem(error)
    reference = new_id("err")
    log.error("an error that no verb foresees, %s", reference, exc_info=error)
    return unknown_problem(reference)
