"""A running MLflow server as a store, read through its own REST API, with the credentials that MLflow's clients use.

Only the address that was given is called. Files that the server keeps for its clients (`mlflow-artifacts:/…`) are fetched
from it; those that it leaves on a disk are looked for below the folders that were named, like those of a database.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit

import httpx

from treadle.systems.train.moving.errors import NoMlflowStore, UnreadableStore
from treadle.systems.train.moving.places import LocalFile, Places
from treadle.systems.train.moving.records import (
    Points,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.moving.sql_store import logged_model_of
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, ModelPoint, Pair
from treadle.systems.train.tracking.summaries import finite

_API = "/api/2.0/mlflow"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"
_STATUSES = {"LOGGED_MODEL_PENDING": 1, "LOGGED_MODEL_READY": 2, "LOGGED_MODEL_UPLOAD_FAILED": 3}
_SPOOL_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that the server keeps."""

    path: str
    size_bytes: int
    whole: str
    http: httpx.Client

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes, fetched now; large ones by way of a temporary file."""
        return self._fetched()

    @contextmanager
    def _fetched(self) -> Iterator[BinaryIO]:
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            with self.http.stream("GET", f"{_FILES}/{quote(self.whole)}") as answer:
                _check(answer)
                for piece in answer.iter_bytes():
                    spool.write(piece)
            spool.seek(0)
            yield cast("BinaryIO", spool)


class ServerStore:
    """See the module. Raises NoMlflowStore when nobody answers there, or no MLflow."""

    def __init__(self, url: str, places: Places, *, workspace: str = "default") -> None:
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        headers = {} if workspace == "default" else {"X-MLFLOW-WORKSPACE": workspace}
        self._places = places
        self._http = httpx.Client(
            base_url=self.name.rstrip("/"), headers=headers, auth=_auth(parts.username, parts.password), timeout=60.0
        )
        self._runs: dict[str, dict[str, Any]] = {}
        try:
            self._experiments = list(
                self._pages("POST", "experiments/search", "experiments", view_type="ALL", max_results=1000)
            )
        except (httpx.HTTPError, UnreadableStore) as error:
            self._http.close()
            raise NoMlflowStore(
                f"No MLflow server answers at {self.name}.",
                why=str(error),
                fix="Is it up? Credentials are read from MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD.",
            ) from error

    def experiments(self) -> Sequence[StoredExperiment]:
        return [
            StoredExperiment(
                number=int(one["experiment_id"]),
                name=one["name"],
                location=one.get("artifact_location", ""),
                lifecycle=one.get("lifecycle_stage", "active"),
                created_ms=int(one.get("creation_time", 0)),
                updated_ms=int(one.get("last_update_time", 0)),
                tags=_mapping(one.get("tags")),
            )
            for one in self._experiments
        ]

    def run_ids(self) -> Sequence[str]:
        for one in self._experiments:
            for run in self._pages(
                "POST",
                "runs/search",
                "runs",
                experiment_ids=[one["experiment_id"]],
                run_view_type="ALL",
                max_results=1000,
            ):
                self._runs[run["info"]["run_id"]] = run
        return sorted(self._runs, key=lambda run: (int(self._runs[run]["info"].get("start_time", 0)), run))

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        if not self._runs:
            self.run_ids()
        return [self._run(self._runs[run]) for run in ids if run in self._runs]

    def _run(self, found: Mapping[str, Any]) -> StoredRun:
        info, data = found["info"], found.get("data", {})
        inputs, outputs = found.get("inputs", {}), found.get("outputs", {})
        return StoredRun(
            run=info["run_id"],
            experiment=int(info["experiment_id"]),
            name=info.get("run_name", ""),
            status=info.get("status", "RUNNING"),
            user_id=info.get("user_id", ""),
            start_ms=_whole(info.get("start_time")),
            end_ms=_whole(info.get("end_time")),
            lifecycle=info.get("lifecycle_stage", "active"),
            deleted_ms=None,
            artifact_uri=info.get("artifact_uri", ""),
            params=_mapping(data.get("params")),
            tags=_mapping(data.get("tags")),
            points=self._history(info["run_id"], [metric["key"] for metric in data.get("metrics", [])]),
            datasets=[_dataset(one) for one in inputs.get("dataset_inputs", [])],
            models=[one["model_id"] for one in inputs.get("model_inputs", [])],
            outputs=[ModelOutput(one["model_id"], int(one.get("step", 0))) for one in outputs.get("model_outputs", [])],
        )

    def _history(self, run: str, keys: Sequence[str]) -> Points:
        points = Points()
        for key in keys:
            for one in self._pages(
                "GET", "metrics/get-history", "metrics", run_id=run, metric_key=key, max_results=25_000
            ):
                value = finite([float(one.get("value", 0))])[0]
                points.add(key, value, int(one.get("step", 0)), int(one.get("timestamp", 0)))
        return points

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        for experiment in self._experiments:
            if experiment.get("lifecycle_stage") == "deleted":
                continue
            for one in self._pages(
                "POST", "logged-models/search", "models", experiment_ids=[experiment["experiment_id"]], max_results=50
            ):
                yield _logged_model(one["info"], one.get("data", {}))

    def models(self) -> Iterator[StoredModel]:
        versions: dict[str, list[StoredVersion]] = defaultdict(list)
        for one in self._pages("GET", "model-versions/search", "model_versions", max_results=10_000):
            versions[one["name"]].append(_version(one))
        for one in self._pages("GET", "registered-models/search", "registered_models", max_results=1000):
            yield StoredModel(
                name=one["name"],
                description=one.get("description") or None,
                created_ms=int(one.get("creation_timestamp", 0)),
                updated_ms=int(one.get("last_updated_timestamp", 0)),
                tags=_mapping(one.get("tags")),
                aliases={each["alias"]: int(each["version"]) for each in one.get("aliases", [])},
                versions=sorted(versions[one["name"]], key=lambda version: version.number),
            )

    def files(self, location: str) -> Sequence[LocalFile | ServedFile]:
        parts = urlsplit(location)
        if parts.scheme != "mlflow-artifacts":
            return self._places.files(location)
        return sorted(self._served(unquote(parts.path).strip("/"), ""), key=lambda file: file.path)

    def _served(self, root: str, folder: str) -> Iterator[ServedFile]:
        whole = f"{root}/{folder}".rstrip("/")
        answer = self._http.get(_FILES, params={"path": whole})
        _check(answer)
        for one in answer.json().get("files", []):
            path = f"{folder}/{one['path']}".lstrip("/")
            if one.get("is_dir"):
                yield from self._served(root, path)
            else:
                yield ServedFile(path, int(one.get("file_size", 0)), f"{root}/{path}", self._http)

    def not_read(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        self._http.close()

    def _pages(self, method: str, path: str, field: str, **asked: Any) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            wanted = {**asked, **({"page_token": token} if token else {})}
            if method == "GET":
                answer = self._http.get(f"{_API}/{path}", params=wanted)
            else:
                answer = self._http.post(f"{_API}/{path}", json=wanted)
            _check(answer)
            page = answer.json()
            yield from page.get(field, [])
            token = page.get("next_page_token", "")
            if not token:
                return


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    answer.read()
    raise UnreadableStore(
        f"The server answered {answer.status_code} to {answer.request.url.path}.", why=answer.text[:300]
    )


def _auth(user: str | None, password: str | None) -> httpx.Auth | None:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if token and user is None:
        return _Bearer(token)
    user = user or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    password = password or os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    return httpx.BasicAuth(unquote(user), unquote(password)) if user else None


class _Bearer(httpx.Auth):
    """A token in the header that MLflow's clients use."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _mapping(pairs: Any) -> dict[str, str]:
    return {pair["key"]: pair.get("value", "") for pair in pairs or []}


def _whole(value: Any) -> int | None:
    return None if value in (None, "", 0, "0") else int(value)


def _dataset(one: Mapping[str, Any]) -> DatasetInput:
    found = one["dataset"]
    tags = [Pair(key, value) for key, value in sorted(_mapping(one.get("tags")).items())]
    return DatasetInput(
        name=found["name"],
        digest=found["digest"],
        source_type=found.get("source_type", ""),
        source=found.get("source", ""),
        schema=found.get("schema"),
        profile=found.get("profile"),
        tags=tags,
    )


def _logged_model(info: Mapping[str, Any], data: Mapping[str, Any]) -> StoredLoggedModel:
    status = info.get("status", 0)
    model = info["model_id"]
    return StoredLoggedModel(
        model=model,
        experiment=int(info["experiment_id"]),
        name=info.get("name", ""),
        artifact_location=info.get("artifact_uri", ""),
        created_ms=int(info.get("creation_timestamp_ms", 0)),
        updated_ms=int(info.get("last_updated_timestamp_ms", 0)),
        status=status if isinstance(status, int) else _STATUSES.get(status, 0),
        lifecycle="active",
        model_type=info.get("model_type") or None,
        source_run=info.get("source_run_id") or None,
        status_message=info.get("status_message") or None,
        params=[Pair(key, value) for key, value in sorted(_mapping(data.get("params")).items())],
        tags=[Pair(key, value) for key, value in sorted(_mapping(info.get("tags")).items())],
        metrics=[_point(model, one) for one in data.get("metrics", [])],
    )


def _point(model: str, one: Mapping[str, Any]) -> ModelPoint:
    value = float(one.get("value", 0))
    return ModelPoint(
        one["key"],
        None if value != value else finite([value])[0],
        int(one.get("timestamp", 0)),
        int(one.get("step", 0)),
        model,
        one.get("run_id", ""),
        one.get("dataset_name") or None,
        one.get("dataset_digest") or None,
    )


def _version(one: Mapping[str, Any]) -> StoredVersion:
    source = one.get("source", "")
    return StoredVersion(
        number=int(one["version"]),
        source=source,
        location=None,
        run_id=one.get("run_id") or None,
        run_link=one.get("run_link") or None,
        logged_model=one.get("model_id") or logged_model_of(source),
        description=one.get("description") or None,
        stage=one.get("current_stage") or "None",
        created_ms=int(one.get("creation_timestamp", 0)),
        updated_ms=int(one.get("last_updated_timestamp", 0)),
        tags=_mapping(one.get("tags")),
    )
