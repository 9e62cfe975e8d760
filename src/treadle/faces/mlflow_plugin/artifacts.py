"""Artifacts of `treadle://`: what the proxy would answer, without a proxy."""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path

from treadle.faces.api.mlflow.dispatch import PIECE_BYTES
from treadle.faces.mlflow_plugin.local import LocalServer, read

_FOLDER = "/api/2.0/mlflow-artifacts/artifacts"


class TreadleArtifactRepository(ArtifactRepository):  # type: ignore[misc]  # MLflow's classes are untyped here
    """The files below `mlflow-artifacts:/…`, reached through the store of the tracking URI."""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._server = LocalServer(tracking_uri or artifact_uri)
        self._root = urlsplit(artifact_uri).path.strip("/")

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        verify_artifact_path(artifact_path)
        place = self._place(artifact_path, os.path.basename(local_file))  # noqa: PTH119 -- a client's text
        read(self._server.ask("PUT", place, headers={}, pieces=_pieces(Path(local_file))))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        folder = Path(local_dir)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                parts = [part for part in (artifact_path, *path.parent.relative_to(folder).parts) if part]
                self.log_artifact(str(path), posixpath.join(*parts) if parts else None)

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        asked = posixpath.join(self._root, path or "").strip("/")
        found = read(self._server.ask("GET", _FOLDER, query={"path": [asked]})).get("files", [])
        listed = [
            FileInfo(
                posixpath.join(path, each["path"]) if path else each["path"],
                bool(each.get("is_dir", False)),
                int(each["file_size"]) if "file_size" in each else None,
            )
            for each in found
        ]
        return sorted(listed, key=lambda each: each.path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        answer = self._server.ask("GET", self._place(remote_file_path))
        if answer.file is None:
            if answer.status >= 400:
                read(answer)
            Path(local_path).write_bytes(answer.body)
            return
        with answer.file, Path(local_path).open("wb") as local:
            shutil.copyfileobj(answer.file, local, PIECE_BYTES)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        read(self._server.ask("DELETE", self._place(artifact_path)))

    def _place(self, *parts: str | None) -> str:
        return posixpath.join(_FOLDER, self._root, *(part for part in parts if part))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
