"""A project with tracking, files and the registry, and the calls that most tests begin with."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.assembly import Workspace
from treadle.kernel.governance import Caller
from treadle.systems.train.registry.records import LabelledVersion
from treadle.systems.train.registry.requests import CreateModel, CreateVersion
from treadle.systems.train.tracking.records import TrackedRun
from treadle.systems.train.tracking.requests import CreateRun

MLMODEL = """
artifact_path: model
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.9}
  sklearn: {sklearn_version: 1.7.2, serialization_format: skops}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
"""
REQUIREMENTS = "# made by a client\nmlflow==3.17.2\nscikit-learn==1.7.2\nnumpy==2.3.4\n--extra-index-url https://x\n"


@dataclass
class House:
    """A workspace, and the calls that most tests begin with."""

    workspace: Workspace

    @property
    def ada(self) -> Caller:
        return Caller(project=self.workspace.project, actor="ada")

    def run(self) -> TrackedRun:
        return self.workspace.tracking.runs.create(self.ada, CreateRun(experiment="0"))

    def put(self, uri: str, path: str, data: bytes) -> None:
        folder = uri.removeprefix("mlflow-artifacts:/").lstrip("/")
        self.workspace.tracking.files.put_bytes(self.ada, f"{folder}/{path}", data)

    def trained(self) -> TrackedRun:
        """A run with the files of a model."""
        run = self.run()
        for path, data in {"MLmodel": MLMODEL, "requirements.txt": REQUIREMENTS, "model.skops": "bytes"}.items():
            self.put(run.artifact_uri, f"model/{path}", data.encode())
        return run

    def model(self, name: str = "late") -> None:
        self.workspace.registry.models.create(self.ada, CreateModel(name=name))

    def version(self, source: str = "s3://bucket/model", *, name: str = "late", **named: object) -> LabelledVersion:
        request = CreateVersion(model=name, source=source, **named)  # type: ignore[arg-type]
        return self.workspace.registry.versions.create(self.ada, request)

    def register(self, run: TrackedRun, *, name: str = "late") -> LabelledVersion:
        """The model of a run as a version."""
        return self.version(f"{run.artifact_uri}/model", name=name, run_id=run.run)
