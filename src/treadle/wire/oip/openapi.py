"""The REST half of the protocol as an OpenAPI 3.1 document, its schemas made from the records that are sent and read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from treadle.wire.oip.answers import ErrorResponse, InferenceResponse
from treadle.wire.oip.datatypes import DATATYPES
from treadle.wire.oip.metadata import (
    IndexEntry,
    IndexRequest,
    ModelConfig,
    ModelMetadata,
    ModelReadiness,
    ServerMetadata,
    UnloadRequest,
)
from treadle.wire.oip.requests import InferenceRequest
from treadle.wire.oip.statistics import StatisticsAnswer

_RECORDS = (
    ErrorResponse, IndexEntry, IndexRequest, InferenceRequest, InferenceResponse, ModelConfig, ModelMetadata, ModelReadiness,
    ServerMetadata, StatisticsAnswer, UnloadRequest,
)  # fmt: skip
_ANY = {"type": "object"}
_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "The bytes of the JSON part, where binary tensors follow it; 0 where the body is one tensor alone.",
    "schema": {"type": "integer", "minimum": 0},
}


def openapi(version: str) -> dict[str, Any]:
    """The document, ready to be encoded. version: that of the server."""
    _, schemas = msgspec.json.schema_components(_RECORDS, ref_template="#/components/schemas/{name}")
    schemas["RequestInput"]["properties"]["datatype"]["enum"] = list(DATATYPES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open Inference Protocol",
            "version": version,
            "description": "Version 2 of the protocol, with the extensions for binary tensors, statistics, model "
            "configuration and the model repository.",
        },
        "paths": dict(_paths()),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {"model": _in_path("model"), "version": _in_path("version")},
        },
        "security": [{}, {"token": []}],
    }


def _paths() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "/v2", _get("serverMetadata", "What this server is.", _ref("ServerMetadata"))
    yield "/v2/health/live", _get("serverLive", "Whether the process answers.", _ANY)
    yield "/v2/health/ready", _get("serverReady", "Whether some model can be asked.", _ANY)
    yield "/v2/openapi.json", _get("openapi", "This document.", _ANY)
    yield "/v2/models/stats", _get("allStatistics", "What all models have done.", _ref("StatisticsAnswer"))
    for end, suffix, parameters in (("", "", ["model"]), ("/versions/{version}", "Version", ["model", "version"])):
        path = f"/v2/models/{{model}}{end}"
        about = {"parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters]}
        yield path, about | _get(f"modelMetadata{suffix}", "Inputs and outputs.", _ref("ModelMetadata"))
        yield f"{path}/ready", about | _get(f"modelReady{suffix}", "Whether it answers.", _ref("ModelReadiness"))
        yield f"{path}/config", about | _get(f"modelConfig{suffix}", "Triton's form of it.", _ref("ModelConfig"))
        yield f"{path}/stats", about | _get(f"modelStatistics{suffix}", "What it did.", _ref("StatisticsAnswer"))
        yield f"{path}/infer", about | _infer(f"modelInfer{suffix}")
    index = {"type": "array", "items": _ref("IndexEntry")}
    yield "/v2/repository/index", _post("repositoryIndex", "What is served, and what is not.", "IndexRequest", index)
    named = {"parameters": [{"$ref": "#/components/parameters/model"}]}
    path = "/v2/repository/models/{model}"
    yield f"{path}/load", named | _post("modelLoad", "Serve what is deployed.", "UnloadRequest", _ANY)
    yield f"{path}/unload", named | _post("modelUnload", "Serve it no more, here.", "UnloadRequest", _ANY)


def _infer(operation: str) -> dict[str, Any]:
    found = _post(operation, "Predict.", "InferenceRequest", _ref("InferenceResponse"))
    binary: dict[str, Any] = {"schema": {}}
    found["post"] |= {"parameters": [_LENGTH]}
    found["post"]["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _ref("InferenceRequest")}, "application/octet-stream": binary},
    }
    found["post"]["responses"]["200"]["content"]["application/octet-stream"] = binary
    return found


def _get(operation: str, summary: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": operation, "summary": summary, "responses": _responses(answer)}}


def _post(operation: str, summary: str, body: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": False, "content": {"application/json": {"schema": _ref(body)}}},
            "responses": _responses(answer),
        }
    }


def _responses(answer: dict[str, Any]) -> dict[str, Any]:
    refusal = {"content": {"application/json": {"schema": _ref("ErrorResponse")}}}
    return {
        "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}},
        "4XX": {"description": "What is wrong with the request, and what to do.", **refusal},
        "503": {"description": "Not now; the header Retry-After says when.", **refusal},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
