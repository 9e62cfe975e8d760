"""Evaluation datasets and their records."""

from __future__ import annotations

import msgspec

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.traces.evaluation import (
    CreateEvaluationDataset,
    DeleteRecords,
    EvaluationDatasetNamed,
    MergeRecords,
    RecordsOf,
    SearchEvaluationDatasets,
    TagEvaluationDataset,
    TieExperiments,
    UntagEvaluationDataset,
)
from treadle.wire.mlflow import evaluation as wire


class _Create(msgspec.Struct):
    name: str
    experiment_ids: list[str] = msgspec.field(default_factory=list)
    tags: str = ""


class _Search(msgspec.Struct):
    experiment_ids: list[str] = msgspec.field(default_factory=list)
    filter_string: str | None = None
    max_results: int = 1000
    order_by: list[str] = msgspec.field(default_factory=list)
    page_token: str | None = None


class _Tags(msgspec.Struct):
    tags: str


class _Records(msgspec.Struct):
    records: str


class _RecordPage(msgspec.Struct):
    max_results: int = 0
    page_token: str | None = None


class _RecordIds(msgspec.Struct):
    dataset_record_ids: list[str] = msgspec.field(default_factory=list)


class _Experiments(msgspec.Struct):
    experiment_ids: list[str] = msgspec.field(default_factory=list)


def create(exchange: Exchange) -> Answer:
    asked = exchange.read(_Create)
    tags = {key: str(value) for key, value in wire.object_of(asked.tags, "tags").items()} if asked.tags else {}
    request = CreateEvaluationDataset(name=asked.name, tags=tags, experiments=asked.experiment_ids)
    made = exchange.workspace.tracking.evaluation_datasets.create(exchange.caller, request)
    return answered({"dataset": wire.dataset_of(made)})


def get(exchange: Exchange) -> Answer:
    found = exchange.workspace.tracking.evaluation_datasets.get(exchange.caller, _named(exchange))
    return answered({"dataset": wire.dataset_of(found)})


def delete(exchange: Exchange) -> Answer:
    exchange.workspace.tracking.evaluation_datasets.delete(exchange.caller, _named(exchange))
    return Answer()


def search(exchange: Exchange) -> Answer:
    asked = exchange.read(_Search)
    request = SearchEvaluationDatasets(
        experiments=asked.experiment_ids or None,
        filter=asked.filter_string or None,
        order_by=asked.order_by,
        limit=asked.max_results,
        page_token=asked.page_token or None,
    )
    page = exchange.workspace.tracking.evaluation_datasets.search(exchange.caller, request)
    found = {"datasets": [wire.dataset_of(one) for one in page.datasets]} if page.datasets else {}
    return answered(found | ({"next_page_token": page.next_page_token} if page.next_page_token else {}))


def set_tags(exchange: Exchange) -> Answer:
    given = wire.object_of(exchange.read(_Tags).tags, "tags")
    tags = {key: str(value) for key, value in given.items() if value is not None}
    request = TagEvaluationDataset(dataset=exchange.parameters["dataset_id"], tags=tags)
    exchange.workspace.tracking.evaluation_datasets.tag(exchange.caller, request)
    return Answer()


def delete_tag(exchange: Exchange) -> Answer:
    parameters = exchange.parameters
    request = UntagEvaluationDataset(dataset=parameters["dataset_id"], key=parameters["key"])
    exchange.workspace.tracking.evaluation_datasets.untag(exchange.caller, request)
    return Answer()


def merge_records(exchange: Exchange) -> Answer:
    records = wire.list_of(exchange.read(_Records).records, "records")
    request = MergeRecords(dataset=exchange.parameters["dataset_id"], records=records)
    merged = exchange.workspace.tracking.evaluation_datasets.merge(exchange.caller, request)
    return answered({"inserted_count": merged.inserted, "updated_count": merged.updated})


def get_records(exchange: Exchange) -> Answer:
    asked = exchange.read(_RecordPage)
    dataset = exchange.parameters["dataset_id"]
    request = RecordsOf(dataset=dataset, limit=asked.max_results or 1000, page_token=asked.page_token or None)
    page = exchange.workspace.tracking.evaluation_datasets.records(exchange.caller, request)
    found = {"records": wire.records_text(dataset, page.records)}
    return answered(found | ({"next_page_token": page.next_page_token} if page.next_page_token else {}))


def delete_records(exchange: Exchange) -> Answer:
    records = exchange.read(_RecordIds).dataset_record_ids
    request = DeleteRecords(dataset=exchange.parameters["dataset_id"], records=records)
    return answered(
        {"deleted_count": exchange.workspace.tracking.evaluation_datasets.delete_records(exchange.caller, request)}
    )


def get_experiments(exchange: Exchange) -> Answer:
    found = exchange.workspace.tracking.evaluation_datasets.experiments(exchange.caller, _named(exchange))
    return answered({"experiment_ids": found} if found else {})


def add_experiments(exchange: Exchange) -> Answer:
    found = exchange.workspace.tracking.evaluation_datasets.tie(exchange.caller, _ties(exchange))
    return answered({"dataset": wire.dataset_of(found)})


def remove_experiments(exchange: Exchange) -> Answer:
    found = exchange.workspace.tracking.evaluation_datasets.untie(exchange.caller, _ties(exchange))
    return answered({"dataset": wire.dataset_of(found)})


def _ties(exchange: Exchange) -> TieExperiments:
    experiments = exchange.read(_Experiments).experiment_ids
    return TieExperiments(dataset=exchange.parameters["dataset_id"], experiments=experiments)


def _named(exchange: Exchange) -> EvaluationDatasetNamed:
    return EvaluationDatasetNamed(dataset=exchange.parameters["dataset_id"])


_ONE = "3.0/mlflow/datasets/{dataset_id}"

ROUTES = [
    Route("POST", "3.0/mlflow/datasets/create", create),
    Route("POST", "3.0/mlflow/datasets/search", search, "slow"),
    Route("GET", "3.0/mlflow/datasets/search", search, "slow"),
    Route("GET", _ONE, get),
    Route("DELETE", _ONE, delete, "slow"),
    Route("PATCH", f"{_ONE}/tags", set_tags),
    Route("DELETE", f"{_ONE}/tags/{{key}}", delete_tag),
    Route("POST", f"{_ONE}/records", merge_records, "slow"),
    Route("GET", f"{_ONE}/records", get_records, "slow"),
    Route("DELETE", f"{_ONE}/records", delete_records, "slow"),
    Route("GET", f"{_ONE}/experiment-ids", get_experiments),
    Route("POST", f"{_ONE}/add-experiments", add_experiments),
    Route("POST", f"{_ONE}/remove-experiments", remove_experiments),
]
