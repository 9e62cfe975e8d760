"""Calls of the protocol in process: the same handlers as behind the server, without a socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from treadle.assembly import open_workspace
from treadle.faces.api.mlflow.dispatch import Dispatcher


class Client:
    """Speaks the protocol to a fresh home. A call answers the body's JSON; `refused` answers (status, error code, message)."""

    def __init__(self, home: Path) -> None:
        self.workspace = open_workspace(home)
        self._dispatcher = Dispatcher(self.workspace)

    def close(self) -> None:
        self.workspace.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._done("GET", path, query, None)

    def post(self, path: str, **body: Any) -> Any:
        return self._done("POST", path, {}, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self._done("PATCH", path, {}, body)

    def delete(self, path: str) -> Any:
        return self._done("DELETE", path, {}, None)

    def refused(self, method: str, path: str, **asked: Any) -> tuple[int, str, str]:
        query, body = (asked, None) if method == "GET" else ({}, asked)
        status, answer = self.call(method, path, query, body)
        assert status >= 400, answer
        return status, answer["error_code"], answer["message"]

    def call(self, method: str, path: str, query: dict[str, Any], body: Any) -> tuple[int, Any]:
        """The status and the JSON of one call."""
        answer = self._dispatcher.call(
            self.workspace.caller,
            method,
            f"2.0/mlflow/{path}",
            query={name: value if isinstance(value, list) else [str(value)] for name, value in query.items()},
            headers={"content-type": "application/json"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return answer.status, json.loads(answer.body)

    def run(self, **asked: Any) -> str:
        """The id of a new run in Default."""
        made = self.post("runs/create", **{"experiment_id": "0", "run_name": "r", **asked})
        return str(made["run"]["info"]["run_id"])

    def _done(self, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
        status, answer = self.call(method, path, query, body)
        assert status == 200, answer
        return answer
