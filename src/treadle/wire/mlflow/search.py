"""Searches of the protocol: what requests ask. Fields beyond MLflow's own are extensions that its clients never send."""

from __future__ import annotations

import msgspec

VIEWS = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all", 1: "active", 2: "deleted", 3: "all"}
"""What is asked for by a view, sent as a name or as a number."""


class SearchRunsAsked(msgspec.Struct):
    """runs/search. columns, count_only and with_total are extensions."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str | int = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str = ""
    columns: list[str] = []
    with_total: bool = False
    count_only: bool = False


class SearchExperimentsAsked(msgspec.Struct):
    """experiments/search; the protocol has no default for max_results."""

    max_results: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str | int = "ACTIVE_ONLY"


class DatasetAsked(msgspec.Struct):
    dataset_name: str = ""
    dataset_digest: str = ""


class OrderAsked(msgspec.Struct):
    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchLoggedModelsAsked(msgspec.Struct):
    """logged-models/search."""

    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[DatasetAsked] = []
    max_results: int = 50
    order_by: list[OrderAsked] = []
    page_token: str = ""
