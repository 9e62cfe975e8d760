"""Asking the endpoint: the Open Inference Protocol over plain HTTP, as any client of that protocol would."""

from __future__ import annotations

import http.client
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import polars as pl

from late_arrival.features import CATEGORIES, INPUTS

BATCH = 1000
"""Flights in one request, at most."""


class EndpointRefused(Exception):
    """The server's own words."""


class Client:
    """One connection that is kept. `url` is the model server's, `endpoint` the name of the model there."""

    def __init__(self, url: str, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._path = f"/v2/models/{endpoint}"

    def ask(self, rows: pl.DataFrame, *, features: str) -> None:
        """Predicts the rows, in requests of at most `BATCH`. The answers are in the prediction log."""
        for part in rows.iter_slices(BATCH):
            self._call("POST", f"{self._path}/infer", request_of(part, features))

    def wait_for(self, version: str) -> None:
        """Returns when the server serves this version of the model; it follows a deployment within a second."""
        while version not in self._call("GET", self._path)["versions"]:
            time.sleep(0.01)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        payload = None if body is None else msgspec.json.encode(body)
        self._connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = msgspec.json.decode(response.read())
        if response.status != 200:
            raise EndpointRefused(answer.get("error", response.reason))
        return answer


def request_of(rows: pl.DataFrame, features: str) -> dict[str, Any]:
    """A request of the protocol: one tensor a column, the flight as entity, and the moment of which the answer speaks."""
    count = rows.height
    moments = rows["as_of"].dt.epoch("us").to_list()
    tensors = [_tensor(name, rows[name]) for name in INPUTS]
    tensors.append({"name": "entity", "datatype": "BYTES", "shape": [count], "data": rows["flight_id"].to_list()})
    tensors.append({"name": "event_at", "datatype": "INT64", "shape": [count], "data": moments})
    tensors.append({"name": "feature_as_of", "datatype": "INT64", "shape": [count], "data": moments})
    return {"inputs": tensors, "parameters": {"features": features}}


def rows_of_day(rows: pl.DataFrame, day: datetime) -> pl.DataFrame:
    """The flights that are due to leave within 24 hours from a moment."""
    return rows.filter(pl.col("sched_dep_at").is_between(day, day + timedelta(days=1), closed="left"))


def _tensor(name: str, column: pl.Series) -> dict[str, Any]:
    is_text = name in CATEGORIES
    values = column.to_list() if is_text else column.cast(pl.Float64).to_list()
    return {"name": name, "datatype": "BYTES" if is_text else "FP64", "shape": [len(values)], "data": values}
