"""The server against its own OpenAPI document: schemathesis draws requests by the document and beside it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.systems.serve.models import Deployed
from tests.systems.serve.processes import Server
from treadle.wire.oip import openapi


def document() -> dict[str, Any]:
    """The document, the models in it being those of the shared server."""
    found = openapi("1")
    found["components"]["parameters"]["model"]["schema"] = {"enum": ["numbers", "flights"]}
    found["components"]["parameters"]["version"]["schema"] = {"enum": ["1"]}
    return found


# Nothing is loaded or unloaded: other tests ask the same server. Versions have the handlers of their models.
schema = schemathesis.openapi.from_dict(document()).exclude(path_regex="load$")
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
FIXED = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@schema.exclude(path_regex="versions").parametrize()
@settings(FIXED, max_examples=5)
def test_every_answer_is_one_that_the_document_allows(case: Any, shared_server: tuple[Server, Deployed]) -> None:
    case.call_and_validate(base_url=shared_server[0].process.url, checks=CHECKS)


@pytest.mark.soak
@schema.parametrize()
@settings(FIXED, max_examples=300)
def test_a_great_many_answers_are_ones_that_the_document_allows(
    case: Any, shared_server: tuple[Server, Deployed]
) -> None:
    case.call_and_validate(base_url=shared_server[0].process.url, checks=CHECKS)


def test_the_document_is_the_one_that_is_served(shared_server: tuple[Server, Deployed]) -> None:
    served = shared_server[0].http.get("/v2/openapi.json").json()

    assert served == msgspec.json.decode(msgspec.json.encode(openapi(served["info"]["version"])))
