"""The web application's sources: their types of the API, their checks, their build.

`python -m tools.web build` builds the pages into the package; `types` writes the types of the API for them, from the
OpenAPI document of the verbs; `check` says whether those are fresh, checks all types and runs the unit tests.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any

import msgspec

from tools.web_bundle import ROOT, WEB, build, install, node
from treadle.assembly.services import FURTHER, SERVICES
from treadle.faces.api import openapi
from treadle.kernel.governance import declared

TYPES = WEB / "src" / "api" / "schema.ts"
_NOTICE = "// Written by tools/web.py from the verbs: change the code, then `make web-types`.\n"


def main() -> int:
    """The status of what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("build", "types", "check"))
    what = parser.parse_args().what
    install()
    if what == "types":
        TYPES.write_text(fresh_types(), encoding="utf-8")
    elif what == "build":
        build()
    else:
        if TYPES.read_text(encoding="utf-8") != fresh_types():
            print(f"{TYPES.relative_to(ROOT)} is not fresh: make web-types", file=sys.stderr)
            return 1
        node("node_modules/typescript/bin/tsc", "--noEmit")
        node("node_modules/vitest/vitest.mjs", "run", "--silent")
    return 0


def fresh_types() -> str:
    """The types of every verb's request and answer, as openapi-typescript writes them."""
    for module in {entry[1] for entry in SERVICES.values()} | {entry[1] for more in FURTHER.values() for entry in more}:
        import_module(module)
    verbs = {name: verb for name, verb in sorted(declared().items()) if verb.function.__module__.startswith("treadle.")}
    document = WEB / "node_modules" / ".treadle-openapi.json"
    document.write_bytes(msgspec.json.encode(_types_alone(openapi.document(verbs, "0")), order="deterministic"))
    written = WEB / "node_modules" / ".treadle-schema.ts"
    options = ("--output", str(written), "--default-non-nullable=false")
    node("node_modules/openapi-typescript/bin/cli.js", str(document), *options, quiet=True)
    return _NOTICE + written.read_text(encoding="utf-8")


def _types_alone(document: dict[str, Any]) -> dict[str, Any]:
    """The document with one schema more, `Verbs`: by verb its request and its answer. Nothing but types is left in it.

    What only answers hold is always sent whole, so there every field is required.
    """
    schemas = document["components"]["schemas"]
    verbs: dict[str, Any] = {}
    for path in document["paths"].values():
        operation = path["post"]
        body = operation.get("requestBody", {"content": {"application/json": {"schema": {"type": "null"}}}})
        _, answer = min(operation["responses"].items())
        asked, answered = (
            body["content"]["application/json"]["schema"],
            next(iter(answer["content"].values()))["schema"],
        )
        if _is_stream(operation):
            answered = answered["oneOf"][0]["properties"]["item"]
        verbs[operation["operationId"]] = _shape({"request": asked, "answer": answered})
    asked_for = _reached({name: verb["properties"]["request"] for name, verb in verbs.items()}, schemas)
    for name, schema in schemas.items():
        if name not in asked_for and "properties" in schema and name != "Problem":
            schema["required"] = sorted(schema["properties"])
    schemas["Verbs"] = _shape(verbs)
    return {**document, "paths": {}, "components": {"schemas": _without_words(schemas)}}


def _is_stream(operation: dict[str, Any]) -> bool:
    """Whether a verb answers item by item; its type is then that of an item."""
    return any("application/x-ndjson" in answer["content"] for answer in operation["responses"].values())


def _shape(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def _reached(begin: Any, schemas: dict[str, Any]) -> set[str]:
    """The names of the schemas that are named in `begin`, directly or by way of others."""
    found: set[str] = set()
    waiting = [begin]
    while waiting:
        at = waiting.pop()
        if isinstance(at, dict):
            name = str(at.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting += at.values()
        elif isinstance(at, list):
            waiting += at
    return found


def _without_words(schema: Any, of: str = "") -> Any:
    """A schema without titles, descriptions and defaults."""
    if isinstance(schema, list):
        return [_without_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "object" and not schema.keys() & {"properties", "additionalProperties"}:
        return {"type": "object", "additionalProperties": {}}
    words = set() if of == "properties" else {"title", "description", "default", "examples"}
    return {name: _without_words(value, name) for name, value in schema.items() if name not in words}


if __name__ == "__main__":
    sys.exit(main())
