"""What the server says about itself: the version whose protocol it speaks, and what it can do."""

from __future__ import annotations

from treadle.faces.api.mlflow import datasets
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered

MLFLOW_VERSION = "3.17.2"
"""The newest release whose routes were gone through one by one."""


def version(_: Exchange) -> Answer:
    """The version as plain text, which clients parse to decide how to send traces."""
    return Answer(body=MLFLOW_VERSION.encode(), media_type="text/plain; charset=utf-8")


def server_info(_: Exchange) -> Answer:
    """What a client may ask of this server before it downloads and uploads."""
    return answered(
        {
            "store_type": "SqlStore",
            "workspaces_enabled": True,
            "trace_archival_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
            "presigned_upload_run_id_supported": False,
            "presigned_upload_model_id_supported": False,
            "features_enabled": {"gateway": False},
        }
    )


ROUTES = [
    Route("GET", "/version", version, is_public=True),
    Route("GET", "3.0/mlflow/server-info", server_info),
    Route("POST", "2.0mlflow/experiments/search-datasets", datasets.search, "slow"),  # as clients spell it
]
