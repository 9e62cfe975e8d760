"""Fills a stock store, asks it a list of searches, and writes down what it holds and answers: `search_store.py ASKED ANSWERS`.

ASKED is JSON: {"runs": [...], "asked": [[noun, filter, order, more], ...]}. ANSWERS gets the ids of the runs, the experiments
and the logged models as they stand, and for each question the ids that were found or the code of the error.
"""

import json
import sys
import tempfile
from pathlib import Path

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelParameter,
    LoggedModelTag,
    Metric,
    Param,
    RunStatus,
    RunTag,
    ViewType,
)
from mlflow.entities.experiment_tag import ExperimentTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

VIEWS = {"active": ViewType.ACTIVE_ONLY, "deleted": ViewType.DELETED_ONLY, "all": ViewType.ALL}
PAGE = 40


def fill_runs(store, runs):
    ids = []
    for number, run in enumerate(runs):
        run_id = store.create_run("0", run["user_id"], run["start_ms"], [], run["name"]).info.run_id
        ids.append(run_id)
        store.log_batch(
            run_id,
            [Metric(key, float("nan") if value is None else value, number, 0) for key, value in run["metrics"].items()],
            [Param(key, value) for key, value in run["params"].items()],
            [RunTag(key, value) for key, value in run["tags"].items()],
        )
        inputs = [
            DatasetInput(
                Dataset(name, digest, "local", "{}"),
                [] if context is None else [InputTag("mlflow.data.context", context)],
            )
            for name, digest, context in run["datasets"]
        ]
        if inputs:
            store.log_inputs(run_id, inputs)
        if run["end_ms"] is not None:
            store.update_run_info(run_id, RunStatus.from_string(run["status"]), run["end_ms"], run["name"])
        if run["lifecycle"] == "deleted":
            store.delete_run(run_id)
    return ids


def fill_experiments(store):
    for number in range(24):
        tags = [ExperimentTag("owner", ["ann", "Bob", "a%"][number % 3])] if number % 4 else []
        made = store.create_experiment(["alpha", "Beta", "al_x"][number % 3] + str(number), tags=tags)
        if number % 5 == 0:
            store.delete_experiment(made)


def fill_models(store, run_id):
    for number in range(24):
        made = store.create_logged_model(
            "0",
            name=["alpha", "Beta", "a_b"][number % 3],
            source_run_id=run_id if number % 2 else None,
            params=[LoggedModelParameter("depth", str(number % 4))] if number % 5 else [],
            tags=[LoggedModelTag("owner", ["ann", "bob"][number % 2])] if number % 3 else [],
            model_type=["agent", None][number % 2],
        )
        points = [
            Metric("acc", (number * 7 % 5) / 4, step, step, made.model_id, name, digest, run_id)
            for step, (name, digest) in enumerate([("test", "1"), ("test", "2"), ("train", "1"), (None, None)])
            if (number + step) % 3
        ]
        if points:
            store.log_batch(run_id, points, [], [])


def ask(store, noun, text, order, more):
    try:
        found, token = [], None
        while True:
            if noun == "runs":
                page = store.search_runs(["0"], text, VIEWS[more], PAGE, order, token)
                found += [one.info.run_id for one in page]
            elif noun == "experiments":
                page = store.search_experiments(VIEWS[more], PAGE, text, order, token)
                found += [one.experiment_id for one in page]
            else:
                page = store.search_logged_models(["0"], text or None, more or None, PAGE, order or None, token)
                found += [one.model_id for one in page]
            token = page.token
            if not token:
                return found
    except MlflowException as error:
        return error.error_code
    except Exception as error:  # what a stock server answers with 500
        return type(error).__name__


def main():
    asked = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        store = SqlAlchemyStore(f"sqlite:///{folder}/m.db", f"file://{folder}/artifacts")
        ids = fill_runs(store, asked["runs"])
        fill_experiments(store)
        elsewhere = store.create_experiment("models")
        fill_models(store, store.create_run(elsewhere, "ann", 9, [], "models").info.run_id)
        experiments = [dict(one) for one in store.search_experiments(ViewType.ALL, 1000)]
        models = [
            {**one.to_dictionary(), "metrics": [dict(point) for point in one.metrics]}
            for one in store.search_logged_models(["0"], max_results=1000)
        ]
        answers = [ask(store, *question) for question in asked["asked"]]
    written = {"ids": ids, "experiments": experiments, "models": models, "answers": answers}
    Path(sys.argv[2]).write_text(json.dumps(written, default=str))


if __name__ == "__main__":
    main()
