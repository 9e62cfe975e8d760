"""The entities of tracking that can be searched: experiments, runs, logged models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treadle.systems.train.search.entities import Column, Entity, Keyed, Many
from treadle.systems.train.search.model_metrics import ModelMetrics
from treadle.systems.train.search.vocabulary import ATTRIBUTE, Kind, Vocabulary

AGGREGATES = ("min", "max", "step", "first_step", "last_step")
_ATTRIBUTE_WORDS = dict.fromkeys(("attribute", "attributes", "attr", "run"), ATTRIBUTE)
_METRIC_WORDS = dict.fromkeys(("metric", "metrics"), "metric")
_PARAMETER_WORDS = dict.fromkeys(("parameter", "parameters", "param", "params"), "parameter")
_TAG_WORDS = dict.fromkeys(("tag", "tags"), "tag")
_RUN_WORDS = {
    **_ATTRIBUTE_WORDS,
    **_METRIC_WORDS,
    **_PARAMETER_WORDS,
    **_TAG_WORDS,
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}

RUNS = Vocabulary(
    noun="run",
    attributes={
        "artifact_uri": "text",
        "end_time": "number",
        "run_id": "text",
        "run_name": "text",
        "start_time": "number",
        "status": "text",
        "user_id": "text",
    },
    kinds={
        "metric": Kind(sort="number", aggregates=AGGREGATES),
        "parameter": Kind(),
        "tag": Kind(),
        "dataset": Kind(keys={"name": "text", "digest": "text", "context": "text"}, has_order=False),
    },
    spellings=_RUN_WORDS,
    aliases={
        "created": "start_time",
        "Created": "start_time",
        **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    },
)

_RUN_COLUMNS = {
    "artifact_uri": Column(sql="r.artifact_uri", sort="text"),
    "end_time": Column(sql="r.end_ms", sort="number", is_optional=True),
    "run_id": Column(sql="r.run", sort="text"),
    "run_name": Column(sql="r.name", sort="text"),
    "start_time": Column(sql="r.start_ms", sort="number", is_optional=True),
    "status": Column(sql="r.status", sort="text"),
    "user_id": Column(sql="r.user_id", sort="text"),
}
_OF_RUN = "{x}.project = r.project and {x}.run_number = r.number"
_RUN_DATASETS = Many(
    rows="run_input i join tracked_dataset d on d.project = i.project and d.id = i.source "
    "left join run_input_tag c on c.project = i.project and c.run_number = i.run_number and c.source = i.source "
    "and c.name = 'mlflow.data.context' "
    "where i.project = r.project and i.run_number = r.number and i.kind = 'dataset'",
    columns={"name": "d.name", "digest": "d.digest", "context": "c.value"},
)


def runs(code: Callable[[str], object]) -> Entity:
    """Runs. code: the number of a metric's name."""
    metrics = Keyed(
        table="metric_latest",
        owner=_OF_RUN,
        nan="is_nan",
        code=code,
        aggregates={
            "min": "{x}.low",
            "max": "{x}.high",
            "step": "{x}.step",
            "first_step": "{x}.first_step",
            "last_step": "{x}.last_step",
        },
    )
    return Entity(
        vocabulary=RUNS,
        table="tracked_run r",
        columns=_RUN_COLUMNS,
        values={
            "metric": metrics,
            "parameter": Keyed(table="run_param", owner=_OF_RUN),
            "tag": Keyed(table="run_tag", owner=_OF_RUN),
            "dataset": _RUN_DATASETS,
        },
        ties=(("start_time", False), ("run_id", True)),
    )


EXPERIMENTS = Entity(
    vocabulary=Vocabulary(
        noun="experiment",
        attributes={
            "name": "text",
            "experiment_id": "text",
            "creation_time": "number",
            "last_update_time": "number",
        },
        kinds={"tag": Kind(has_order=False)},
        spellings={**dict.fromkeys(("attribute", "attributes"), ATTRIBUTE), **_TAG_WORDS},
    ),
    table="experiment e",
    columns={
        "name": Column(sql="e.name", sort="text"),
        "experiment_id": Column(sql="cast(e.number as text)", sort="text", order="e.number"),
        "creation_time": Column(sql="e.created_ms", sort="number"),
        "last_update_time": Column(sql="e.updated_ms", sort="number"),
    },
    values={
        "tag": Keyed(table="experiment_tag", owner="{x}.project = e.project and {x}.experiment = e.number"),
    },
    ties=(("experiment_id", False),),
    default=("creation_time DESC", "experiment_id ASC"),
)


LOGGED_MODELS = Vocabulary(
    noun="logged model",
    attributes={
        "creation_timestamp": "number",
        "experiment_id": "text",
        "last_updated_timestamp": "number",
        "model_id": "text",
        "model_type": "text",
        "name": "text",
        "source_run_id": "text",
        "status": "text",
    },
    kinds={"metric": Kind(sort="number"), "parameter": Kind(), "tag": Kind()},
    spellings={**_ATTRIBUTE_WORDS, **_METRIC_WORDS, **_PARAMETER_WORDS, **_TAG_WORDS},
    aliases={
        **dict.fromkeys(("creation_time", "creation_timestamp_ms"), "creation_timestamp"),
        **dict.fromkeys(("last_updated_time", "last_updated_timestamp_ms"), "last_updated_timestamp"),
    },
)

_OF_MODEL = "{x}.project = m.project and {x}.model = m.model"


def logged_models(datasets: Sequence[tuple[str, str | None]] = ()) -> Entity:
    """Logged models. datasets: name and digest of those on which a metric must have been measured, any where there are none."""
    return Entity(
        vocabulary=LOGGED_MODELS,
        table="logged_model m",
        columns={
            "creation_timestamp": Column(sql="m.created_ms", sort="number"),
            "experiment_id": Column(sql="cast(m.experiment as text)", sort="text", order="m.experiment"),
            "last_updated_timestamp": Column(sql="m.updated_ms", sort="number"),
            "model_id": Column(sql="m.model", sort="text"),
            "model_type": Column(sql="m.model_type", sort="text", is_optional=True),
            "name": Column(sql="m.name", sort="text"),
            "source_run_id": Column(sql="m.source_run", sort="text", is_optional=True),
            "status": Column(
                sql="case m.status when 1 then 'PENDING' when 2 then 'READY' when 3 then 'FAILED' else 'UNSPECIFIED' end",
                sort="text",
                order="m.status",
            ),
        },
        values={
            "metric": ModelMetrics(datasets),
            "parameter": Keyed(table="logged_model_param", owner=_OF_MODEL),
            "tag": Keyed(table="logged_model_tag", owner=_OF_MODEL),
        },
        ties=(("creation_timestamp", False), ("model_id", True)),
    )
