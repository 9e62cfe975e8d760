"""`treadle://` for MLflow's own client: tracking, registry and artifacts in process, without a server.

MLflow finds these four functions by entry points and calls them with a URI; whatever they need is imported then. The
same handlers answer as over HTTP, so nothing is said in two ways.
"""

from __future__ import annotations

from typing import Any


def tracking_store(store_uri: str | None = None, artifact_uri: str | None = None) -> Any:
    """The tracking store behind a `treadle://` URI."""
    from treadle.faces.mlflow_plugin.tracking import TreadleTrackingStore

    return TreadleTrackingStore(store_uri or "treadle://")


def registry_store(store_uri: str | None = None, **_: Any) -> Any:
    """The model registry behind a `treadle://` URI."""
    from treadle.faces.mlflow_plugin.registry import TreadleRegistryStore

    return TreadleRegistryStore(store_uri or "treadle://")


def artifact_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """The artifacts below a `treadle://` URI."""
    from treadle.faces.mlflow_plugin.artifacts import TreadleArtifactRepository

    return TreadleArtifactRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)


def proxied_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """The artifacts below an `mlflow-artifacts:` URI: in process where `treadle://` is what tracks, else MLflow's own way."""
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
    from mlflow.tracking import get_tracking_uri

    tracking = tracking_uri or get_tracking_uri()
    if tracking.startswith("treadle:"):
        return artifact_repository(artifact_uri, tracking_uri=tracking, registry_uri=registry_uri)
    return MlflowArtifactsRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
