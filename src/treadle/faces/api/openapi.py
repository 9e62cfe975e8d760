"""The OpenAPI 3.1 document of some verbs, made from their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.kernel.governance import Verb

_SCALARS = {"string", "integer", "number", "boolean", "null"}
_PROBLEM = {
    "type": "object",
    "description": "What happened (`title`), why, and what to do (`fix`); RFC 9457 with a stable `code`.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "why": {"type": "string"},
        "fix": {"type": "string"},
        "retryable": {"type": "boolean"},
        "context": {"type": "object"},
    },
}


def document(verbs: Mapping[str, Verb], version: str) -> dict[str, Any]:
    """The document: one path a verb, `/api/v1/{noun}/{action}`."""
    requests = {name: verb.request_type() for name, verb in verbs.items()}
    answers = {name: verb.answer_type() for name, verb in verbs.items()}
    wanted = [kind for kind in requests.values() if kind is not None] + list(answers.values())
    schemas, components = msgspec.json.schema_components(wanted, ref_template="#/components/schemas/{name}")
    shown = iter(schemas)
    request_schemas = {name: next(shown) for name, kind in requests.items() if kind is not None}
    answer_schemas = dict(zip(answers, shown, strict=True))
    paths: dict[str, Any] = {}
    for name, verb in verbs.items():
        request, answer = request_schemas.get(name), answer_schemas[name]
        operations = {"post": _operation(verb, answer) | _body(request)}
        if verb.is_read and (parameters := _parameters(request, components)) is not None:
            operations["get"] = _operation(verb, answer, suffix=".get") | {"parameters": parameters}
        paths[f"/api/v1/{verb.noun}/{verb.action}"] = operations
    return {
        "openapi": "3.1.0",
        "info": {"title": "Treadle", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(verb: Verb, answer: Mapping[str, Any], suffix: str = "") -> dict[str, Any]:
    status, media = ("202" if verb.shape == "run" else "200"), "application/json"
    if verb.shape == "stream":
        media = "application/x-ndjson"
        answer = {
            "description": "One object a line: an item, the end, or the problem that ended it.",
            "oneOf": [
                {"type": "object", "required": ["item"], "properties": {"item": answer}},
                {"type": "object", "required": ["end"], "properties": {"end": {"const": True}}},
                {"type": "object", "required": ["problem"], "properties": {"problem": _ref("Problem")}},
            ],
        }
    operation = {
        "operationId": verb.name + suffix,
        "tags": [verb.noun],
        "summary": verb.summary,
        "x-permission": verb.permission,
        "responses": {
            status: {"description": "The answer.", "content": {media: {"schema": answer}}},
            "default": {
                "description": "What went wrong.",
                "content": {"application/problem+json": {"schema": _ref("Problem")}},
            },
        },
    }
    return operation | ({"x-event": verb.event} if verb.event else {})


def _body(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _parameters(schema: Mapping[str, Any] | None, components: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The query parameters of a request whose fields are all scalars or lists of them; None for any other."""
    if schema is None:
        return []
    shape = components[schema["$ref"].rpartition("/")[2]]
    required = set(shape.get("required", ()))
    fields = shape.get("properties", {})
    if not all(_is_flat(field) for field in fields.values()):
        return None
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field} for name, field in fields.items()
    ]


def _is_flat(field: Mapping[str, Any]) -> bool:
    if "anyOf" in field:
        return all(_is_flat(part) for part in field["anyOf"])
    if field.get("type") == "array":
        return _is_flat(field.get("items", {}))
    return field.get("type") in _SCALARS or "enum" in field


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
