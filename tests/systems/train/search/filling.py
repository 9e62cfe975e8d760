"""Runs put into the tables directly, many at once, and the same runs as plain records for a naive evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from treadle.kernel.store import Store, Transaction
from treadle.kernel.store.sql import composed

_INSERTS = {
    "tracked_run": "number run experiment name status user_id origin start_ms end_ms lifecycle deleted_ms artifact_uri",
    "metric_latest": "run_number key value is_nan step at_ms low high first_step last_step experiment",
    "run_param": "run_number key value experiment",
    "run_tag": "run_number key value experiment",
    "run_input": "run_number kind source ordinal",
    "run_input_tag": "run_number source name value",
    "tracked_dataset": "experiment name digest id source_type source schema profile",
    "metric_key": "number name",
    "experiment": "number name artifact_location lifecycle created_ms updated_ms",
    "experiment_tag": "experiment key value",
    "logged_model": "model experiment name artifact_location created_ms updated_ms status lifecycle model_type source_run status_message",
    "logged_model_param": "model key value experiment",
    "logged_model_tag": "model key value experiment",
    "logged_model_metric": "model name at_ms step run value is_nan dataset dataset_name dataset_digest experiment",
}


@dataclass(slots=True, kw_only=True)
class Made:
    """A run as it was made. A metric's value None is a NaN; datasets are (name, digest, context)."""

    number: int
    experiment: int = 1
    name: str = "a-run"
    status: str = "FINISHED"
    user_id: str = "ann"
    start_ms: int | None = 0
    end_ms: int | None = None
    lifecycle: str = "active"
    metrics: dict[str, float | None] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str, str | None]] = field(default_factory=list)
    run: str = ""

    def __post_init__(self) -> None:
        self.run = self.run or f"{self.number * 2654435761 % 2**32:032x}"


def insert(tx: Transaction, table: str, rows: Sequence[tuple[object, ...]], project: str = "p") -> None:
    """Rows into a table, in the order of its columns."""
    columns = ["project", *_INSERTS[table].split()]
    text = f"insert into {table} ({', '.join(columns)}) values ({', '.join(':' + name for name in columns)})"
    tx.execute_many(
        composed(f"fill_{table}", text + " on conflict do nothing"),
        [dict(zip(columns, (project, *row), strict=True)) for row in rows],
    )


def fill(store: Store, runs: Sequence[Made], keys: Sequence[str] = (), project: str = "p") -> None:
    """Puts runs into a store, with the metrics' names."""
    names = {name: number for number, name in enumerate(sorted({*keys, *(k for run in runs for k in run.metrics)}), 1)}

    def work(tx: Transaction) -> None:
        insert(tx, "metric_key", [(number, name) for name, number in names.items()], project)
        _fill_runs(tx, runs, names, project)

    store.write(work)


def _fill_runs(tx: Transaction, runs: Sequence[Made], names: dict[str, int], project: str) -> None:
    insert(
        tx,
        "tracked_run",
        [
            (
                run.number, run.run, run.experiment, run.name, run.status, run.user_id, "client", run.start_ms,
                run.end_ms, run.lifecycle, None, f"mlflow-artifacts:/{run.experiment}/{run.run}/artifacts",
            )
            for run in runs
        ],
        project,
    )  # fmt: skip
    insert(
        tx,
        "metric_latest",
        [
            (run.number, names[key], value or 0.0, int(value is None), 0, 0, value, value, 0, 0, run.experiment)
            for run in runs
            for key, value in run.metrics.items()
        ],
        project,
    )
    for table in ("param", "tag"):
        rows = [
            (run.number, key, value, run.experiment)
            for run in runs
            for key, value in (run.params if table == "param" else run.tags).items()
        ]
        insert(tx, f"run_{table}", rows, project)
    used = [(run, place, found) for run in runs for place, found in enumerate(run.datasets)]
    sources = {
        (run.experiment, name, digest): f"d-{run.experiment}-{name}-{digest}" for run, _, (name, digest, _) in used
    }
    insert(
        tx, "tracked_dataset", [(*key, source, "local", "{}", None, None) for key, source in sources.items()], project
    )
    insert(
        tx,
        "run_input",
        [(run.number, "dataset", sources[run.experiment, n, d], place) for run, place, (n, d, _) in used],
        project,
    )
    insert(
        tx,
        "run_input_tag",
        [
            (run.number, sources[run.experiment, n, d], "mlflow.data.context", context)
            for run, _, (n, d, context) in used
            if context is not None
        ],
        project,
    )
