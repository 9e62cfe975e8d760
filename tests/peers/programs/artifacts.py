"""A stock client and artifacts: folders, a large file in parts, listings, downloads, deletion; prints what it saw as JSON.

python artifacts.py URI FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.update(
    MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD="true",
    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=str(6 << 20),
    MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=str(5 << 20),
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
)

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(uri: str, folder: Path) -> dict[str, object]:
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    run = client.create_run("0").info
    small, large = folder / "in" / "deep" / "a b.txt", folder / "in" / "large.bin"
    small.parent.mkdir(parents=True)
    small.write_text("small")
    large.write_bytes(os.urandom((17 << 20) + 5))

    client.log_artifacts(run.run_id, str(folder / "in"), "data")
    client.log_text(run.run_id, "text", "notes/n.txt")
    got = Path(download_artifacts(run_id=run.run_id, artifact_path="data", dst_path=str(folder / "out")))
    listed = [(one.path, one.is_dir, one.file_size) for one in client.list_artifacts(run.run_id, "data")]
    top = [(one.path, one.is_dir) for one in client.list_artifacts(run.run_id)]
    of_file = client.list_artifacts(run.run_id, "notes/n.txt")
    repository = get_artifact_repository(run.artifact_uri)
    repository.delete_artifacts("data/deep")
    after = [one.path for one in client.list_artifacts(run.run_id, "data")]
    repository.delete_artifacts()
    return {
        "same": [digest(got / "large.bin") == digest(large), (got / "deep" / "a b.txt").read_text()],
        "listed": listed,
        "top": top,
        "of_file": len(of_file),
        "after": after,
        "empty": client.list_artifacts(run.run_id) == [],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
