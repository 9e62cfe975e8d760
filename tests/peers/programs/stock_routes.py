"""Prints the routes of a stock MLflow server, one a line: `METHOD path`, prefixes of the API taken away.

Run by the interpreter in which stock MLflow is installed; the tests of the routes compare its output with ours.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PREFIXES = ("/api/", "/ajax-api/")


def main() -> None:
    """Prints them all, sorted."""
    warnings.simplefilter("ignore")
    folder = tempfile.mkdtemp()
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder}/store.db"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app

    found = set(_of_flask(app)) | set(_of_fastapi(create_fastapi_app(app).routes, ""))
    found |= {f"ANY {value}" for value in _paths_of_auth() if value.startswith(_PREFIXES)}
    sys.stdout.write("\n".join(sorted({_spelled(line) for line in found})) + "\n")


def _paths_of_auth() -> Iterator[str]:
    """The paths of the application `basic-auth`, whose package cannot be imported without further libraries."""
    import mlflow.server

    place = Path(mlflow.server.__file__).parent / "auth" / "routes.py"
    for value in runpy.run_path(str(place)).values():
        if isinstance(value, str):
            yield value


def _of_flask(app: Any) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield f"{method} {rule.rule}"


def _of_fastapi(routes: Any, prefix: str) -> Iterator[str]:
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from _of_fastapi(router.routes, prefix + route.include_context.prefix)
        for method in (getattr(route, "methods", None) or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {prefix}{route.path}"


def _spelled(line: str) -> str:
    method, _, path = line.partition(" ")
    path = re.sub(r"<path:(\w+)>|\{(\w+):path\}", lambda name: f"{{{name[1] or name[2]}:path}}", path)
    path = re.sub(r"<(\w+)>", r"{\1}", path)
    for prefix in _PREFIXES:
        if path.startswith(prefix):
            return f"{method} {path.removeprefix(prefix)}"
    return f"{method} {path}"


if __name__ == "__main__":
    main()
