"""MLflow's REST store with its requests answered in process, and with runs that are the step's own inside of a step."""

from __future__ import annotations

import os
from typing import Any

from mlflow.protos.service_pb2 import CreateRun
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracing.utils.otlp import MLFLOW_EXPERIMENT_ID_HEADER, OTLP_TRACES_PATH, resource_to_otel_proto
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import MlflowHostCreds

from treadle.faces.mlflow_plugin.local import BASE_URL, LocalServer, read
from treadle.faces.mlflow_plugin.steps import run_of_step


class TreadleTrackingStore(RestStore):  # type: ignore[misc]  # MLflow's classes are untyped here
    """The store of `treadle://`."""

    def __init__(self, store_uri: str) -> None:
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # there is no page behind this store
        super().__init__(lambda: MlflowHostCreds(BASE_URL))
        self._server = LocalServer(store_uri)

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None = None,
        endpoint: str | None = None,
        retry_timeout_seconds: int | None = None,
        response_proto: Any = None,
    ) -> Any:
        paths = self._V3_METHOD_TO_INFO if api in self._V3_APIS else self._METHOD_TO_INFO
        usual, method = paths[api]
        answer = None
        if api is CreateRun:
            answer = run_of_step(self._server, json_body or "{}")
        if answer is None:
            answer = self._server.call(method, endpoint or usual, json_body)
        response = response_proto or api.Response()
        parse_dict(answer, response)
        return response

    def _validate_workspace_support_if_specified(self) -> None:
        """Every home has projects, which is what workspaces are."""

    @property
    def supports_workspaces(self) -> bool:
        return True

    def log_spans(self, location: str, spans: list[Any], tracking_uri: str | None = None) -> list[Any]:
        """Sends spans as an OTLP exporter would."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        if not spans:
            return []
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.CopyFrom(resource_to_otel_proto(getattr(spans[0]._span, "resource", None)))
        resource_spans.scope_spans.add().spans.extend(span.to_otel_proto() for span in spans)
        headers = {"content-type": "application/x-protobuf", MLFLOW_EXPERIMENT_ID_HEADER.lower(): location}
        body = request.SerializeToString()
        answer = self._server.ask("POST", OTLP_TRACES_PATH, headers=headers, body=body)
        if answer.status >= 400:
            read(answer)
        return spans
