"""The protocol's routes over a fresh project, called in process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from treadle.assembly import Workspace
from treadle.faces.api.mlflow.dispatch import Dispatcher

MODELS, VERSIONS = "registered-models", "model-versions"


@dataclass
class Client:
    """Calls routes below `2.0/mlflow/` and answers (status, body)."""

    workspace: Workspace
    dispatcher: Dispatcher = field(init=False)

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(self.workspace)

    def get(self, path: str, **query: str) -> tuple[int, Any]:
        return self._call("GET", path, query={name: [value] for name, value in query.items()})

    def post(self, path: str, **body: Any) -> tuple[int, Any]:
        return self.send("POST", path, **body)

    def send(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        return self._call(method, path, body=json.dumps(body).encode(), headers=headers)

    def made(self, path: str, **body: Any) -> Any:
        """The body of an answer that must be a success."""
        status, answer = self.post(path, **body)
        assert status == 200, answer
        return answer

    def model(self, name: str = "m", **named: Any) -> None:
        self.made(f"{MODELS}/create", name=name, **named)

    def version(self, name: str = "m", source: str = "s3://bucket/model", **named: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.made(f"{VERSIONS}/create", name=name, source=source, **named)["model_version"]
        return found

    def _call(self, method: str, path: str, **named: Any) -> tuple[int, Any]:
        answer = self.dispatcher.call(self.workspace.caller, method, f"2.0/mlflow/{path}", **named)
        return answer.status, json.loads(answer.body)
