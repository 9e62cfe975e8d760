"""What runs read and made, over the protocol."""

from __future__ import annotations

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.tracking.inputs import ListInputs
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, Pair
from treadle.systems.train.tracking.requests import LogInputs, LogOutputs
from treadle.wire.mlflow import datasets as wire
from treadle.wire.mlflow.errors import invalid, missing

MAX_EXPERIMENTS = 20


def log_inputs(exchange: Exchange) -> Answer:
    """POST runs/log-inputs"""
    asked = exchange.read(wire.LogInputsAsked)
    if not asked.run_id:
        raise missing("run_id")
    request = LogInputs(
        run=asked.run_id,
        datasets=[_dataset(one) for one in asked.datasets],
        models=[one.model_id for one in asked.models],
    )
    exchange.workspace.tracking.inputs.log(exchange.caller, request)
    return Answer()


def log_outputs(exchange: Exchange) -> Answer:
    """POST runs/outputs"""
    asked = exchange.read(wire.LogOutputsAsked)
    if not asked.run_id:
        raise missing("run_id")
    if asked.models is None:
        raise missing("models")
    outputs = [ModelOutput(one.model_id, one.step) for one in asked.models]
    exchange.workspace.tracking.inputs.log_outputs(exchange.caller, LogOutputs(run=asked.run_id, models=outputs))
    return Answer()


def search(exchange: Exchange) -> Answer:
    """POST experiments/search-datasets, which the pages of MLflow ask"""
    asked = exchange.read(wire.SearchDatasetsAsked)
    if not asked.experiment_ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(asked.experiment_ids) > MAX_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {MAX_EXPERIMENTS} experiment_ids. "
            f"Received {len(asked.experiment_ids)} experiment_ids."
        )
    found = exchange.workspace.tracking.inputs.summaries(exchange.caller, ListInputs(experiments=asked.experiment_ids))
    return answered({"dataset_summaries": [wire.summary(one) for one in found]} if found else {})


def _dataset(sent: wire.DatasetInputSent) -> DatasetInput:
    described = sent.dataset
    return DatasetInput(
        name=described.name,
        digest=described.digest,
        source_type=described.source_type,
        source=described.source,
        schema=described.schema,
        profile=described.profile,
        tags=[Pair(tag.key, tag.value) for tag in sent.tags],
    )


ROUTES = [
    Route("POST", "2.0/mlflow/runs/log-inputs", log_inputs),
    Route("POST", "2.0/mlflow/runs/outputs", log_outputs),
    Route("POST", "2.0/mlflow/experiments/search-datasets", search, "slow"),
]
