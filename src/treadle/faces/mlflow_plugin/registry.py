"""MLflow's REST registry with its requests answered in process."""

from __future__ import annotations

from typing import Any

from mlflow.store.model_registry.rest_store import RestStore
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import MlflowHostCreds

from treadle.faces.mlflow_plugin.local import BASE_URL, LocalServer


class TreadleRegistryStore(RestStore):  # type: ignore[misc]  # MLflow's classes are untyped here
    """The registry of `treadle://`."""

    def __init__(self, store_uri: str) -> None:
        super().__init__(lambda: MlflowHostCreds(BASE_URL))
        self._server = LocalServer(store_uri)

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None,
        call_all_endpoints: bool = False,
        extra_headers: dict[str, str] | None = None,
    ) -> Any:
        if call_all_endpoints:
            endpoint, method = self._get_all_endpoints_from_method(api)[0]
        else:
            endpoint, method = self._get_endpoint_from_method(api)
        response = self._get_response_from_method(api)
        parse_dict(self._server.call(method, endpoint, json_body), response)
        return response

    def _validate_workspace_support_if_specified(self) -> None:
        """Every home has projects, which is what workspaces are."""
