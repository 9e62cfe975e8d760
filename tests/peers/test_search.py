"""A few hundred searches, asked a stock store and Treadle over the same runs, experiments and logged models.

What a stock store answers, Treadle answers alike, in the same order; what it refuses Treadle may answer, since the grammar
is larger. No server is started: the stock store runs in a process of its own, and Treadle's tables are filled with what it holds.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.peers.servers import PEERS_PYTHON
from tests.systems.train.search.filling import Made, fill, insert
from treadle.ground.errors import InvalidInput
from treadle.kernel.governance import Caller
from treadle.kernel.store import Transaction
from treadle.kernel.store.sqlite import SqliteStore
from treadle.systems.train.search.records import (
    ModelOrder,
    OnDataset,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
)
from treadle.systems.train.search.service import Searches
from treadle.testing import embedded_store

PROGRAM = Path(__file__).parent / "programs" / "search_store.py"
QUESTIONS = 130
RUNS = 60

WORDS = ["x", "X", "xy", "a%b", "a_b", "it's", "ü", "x*y", "[x]", "\\d", "1.5"]
NUMBERS = ["0", "1", "-3.5", "0.1", "1e0", ".5", "1.", "-1"]
METRICS = ["metrics.a", "metric.b", "metrics.`c d`", 'metrics."c d"', "metrics.e.f", "metrics.zz", "`metrics`.a"]
PARAMS = ["params.p", "param.`q r`", "parameters.s.t", "params.`s.t`", "parameter.p"]
TAGS = ["tags.t", "tag.`u/v`", 'tags."u/v"']
ATTRIBUTES = [
    "start_time > 2", "attributes.start_time<=3", "created >= 4", "end_time = 3", "end_time != 3", "run.end_time>3",
    "status = 'FINISHED'", "attribute.status != 'FAILED'", "status LIKE 'F%'", "user_id='ann'", "attr.user_id ilike 'ANN'",
    "run_name = 'a'", "run_name LIKE 'a%'", "attributes.`run name` != 'a'", "run_name ilike 'A'", "start_time > 2.5",
    "artifact_uri LIKE '%artifacts'", "run_id LIKE '%a%'", "run_id NOT IN ('x')",
]  # fmt: skip
DATASETS = ["= 'm'", "!= 'm'", "LIKE 't%'", "IN ('m','1','train')", "NOT IN ('m', \"train\")", "ilike 'M'", "= '1'"]
ODD = [
    "metrics.a > 1 AND AND metrics.b > 0", "metrics.a > 1 metrics.b > 0", "AND", "metrics.a == 1", "metrics.a LIKE 'x'",
    "params.p > 'x'", "x", "metrics.a > 'x'", "params.p = 1", "params.p = 'x", "metrics.a", "start_time = 'x'",
    "start_time LIKE 'x'", "run_id in ('a' 'b')", "metrics.a > 1;", "params.p = x", "params.p=`x`", "dataset.name > 'x'",
    "dataset.q = 'x'", "  ", "tags.t = ''", "tags.t LIKE ''", "status IN ('x')", "(params.p = 'x')", "params.p IN ('x')",
]  # fmt: skip
ORDERS: list[list[str]] = [
    [], ["metrics.a"], ["metrics.a DESC"], ["metrics.`c d` desc", "metrics.b"], ["params.p"], ["params.`q r` DESC", "start_time"],
    ["tags.t asc"], ["start_time"], ["start_time DESC"], ["end_time"], ["end_time DESC", "metrics.a"], ["status", "run_id"],
    ["run_name DESC"], ["created"], ["attributes.user_id", "metrics.e.f DESC"], ["run_id DESC"], ["metrics.zz"],
    ['tags."u/v"'], ["start_time", "run_id"],
]  # fmt: skip
ODD_ORDERS = [["metrics.a", "metrics.a"], ["foo"], ["dataset.name"], ["metrics.a up"], [""], ["metrics.a, metrics.b"]]
EXPERIMENT_FILTERS = [
    "", "name LIKE 'al%'", "name ILIKE 'AL%'", "name = 'alpha0'", "name != 'alpha0'", "attribute.name = 'Beta1'",
    "tags.owner = 'ann'", "tag.owner LIKE 'a%'", "tags.`owner` ILIKE 'A%'", "tags.owner != 'ann'", "tags.owner IS NULL",
    "tags.owner is not null", "experiment_id = '3'", "experiment_id IN ('1', '2')", "experiment_id NOT IN ('1', '2')",
    "creation_time > 0", "last_update_time > 1", "creation_time < 5 AND name LIKE '%'", "creation_time = 'x'", "foo = 'x'",
    "params.a = 'x'", "name > 'a'", "name IN ('alpha0')", "metrics.a > 1",
]  # fmt: skip
EXPERIMENT_ORDERS: list[list[str]] = [
    [], ["name"], ["name DESC"], ["experiment_id"], ["experiment_id ASC"], ["creation_time DESC"], ["tags.owner"], ["foo"],
]  # fmt: skip
MODEL_FILTERS = [
    "", "name = 'alpha'", "name LIKE 'a%'", "name ILIKE 'ALPHA'", "name != 'alpha'", "model_type = 'agent'",
    "source_run_id IS NULL", "params.depth = '2'", "params.depth IN ('1', '2')", "tags.owner LIKE 'a%'", "metrics.acc > 0.5",
    "metrics.acc > 0.5 AND metrics.acc < 0.6", "metrics.acc != 0.5", "attributes.name = 'Beta'", "creation_timestamp > 0",
    "creation_time > 0", "last_updated_timestamp > 0 and params.depth = '1'", "metrics.acc = 'x'", "name > 'x'", "metrics.a",
    "foo.a = 'x'",
]  # fmt: skip
MODEL_ORDERS: list[list[dict[str, Any]]] = [
    [], [{"field_name": "metrics.acc"}], [{"field_name": "metrics.acc", "ascending": False, "dataset_name": "test"}],
    [{"field_name": "metrics.acc", "dataset_name": "test", "dataset_digest": "2"}, {"field_name": "name"}],
    [{"field_name": "name", "ascending": False}], [{"field_name": "creation_timestamp"}], [{"field_name": "model_id"}],
    [{"field_name": "metrics.zz"}], [{"field_name": "params.depth"}], [{"field_name": "model_type", "ascending": False}],
]  # fmt: skip
MODEL_DATASETS: list[list[dict[str, str]]] = [
    [], [], [{"dataset_name": "test"}], [{"dataset_name": "test", "dataset_digest": "2"}],
    [{"dataset_name": "train"}, {"dataset_name": "test", "dataset_digest": "1"}],
]  # fmt: skip


def some_runs(rng: random.Random) -> list[Made]:
    runs = []
    for number in range(1, RUNS):
        drawn = [(rng.choice("mn"), rng.choice("12"), rng.choice([None, "train", "eval"])) for _ in range(number % 3)]
        end = rng.choice([None, 3, 4])
        runs.append(
            Made(
                number=number,
                experiment=0,
                name=rng.choice(["a", "B", "ab", "a%"]),
                user_id=rng.choice(["ann", "bob"]),
                start_ms=rng.choice([1, 2, 3, 4, 5]),
                end_ms=end,
                status=rng.choice(["FINISHED", "FAILED"]) if end else "RUNNING",
                lifecycle=rng.choice(["active", "active", "active", "deleted"]),
                metrics={
                    key: rng.choice([None, 0.0, 1.0, 2.0, -3.5, 0.1])
                    for key in ("a", "b", "c d", "e.f")
                    if rng.random() < 0.7
                },
                params={key: rng.choice(WORDS) for key in ("p", "q r", "s.t") if rng.random() < 0.7},
                tags={key: rng.choice([*WORDS, ""]) for key in ("t", "u/v") if rng.random() < 0.6},
                datasets=list({one[:2]: one for one in drawn}.values()),
            )
        )
    return runs


def some_condition(rng: random.Random) -> str:
    word = rng.choice([*WORDS, "x%", "%", "_", "X_", "%b", "a\\%b"])
    quoted = f'"{word}"' if "'" in word or rng.random() < 0.3 else f"'{word}'"
    match rng.randrange(10):
        case 0 | 1 | 2:
            return rng.choice(METRICS) + rng.choice([" > ", ">=", " = ", "!=", "<", "<= "]) + rng.choice(NUMBERS)
        case 3 | 4 | 5 | 6:
            return (
                f"{rng.choice([*PARAMS, *TAGS])} {rng.choice(['=', '!=', 'LIKE', 'like', 'ILIKE', 'ilike'])} {quoted}"
            )
        case 7:
            return rng.choice([*PARAMS, *TAGS]) + rng.choice([" IS NULL", " is not null", " IS NOT NULL"])
        case 8:
            return f"{rng.choice(['dataset.name', 'datasets.digest', 'dataset.context'])} {rng.choice(DATASETS)}"
    return rng.choice(ATTRIBUTES)


def some_questions(rng: random.Random) -> list[list[Any]]:
    asked: list[list[Any]] = []
    for _ in range(QUESTIONS):
        conditions = [some_condition(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        order = rng.choice(ORDERS) if rng.random() < 0.6 else []
        asked.append(["runs", " and ".join(conditions), order, rng.choice(["active", "active", "all", "deleted"])])
    asked += [["runs", text, [], "active"] for text in ODD]
    asked += [["runs", "", order, "all"] for order in [*ORDERS, *ODD_ORDERS]]
    asked += [["experiments", text, rng.choice(EXPERIMENT_ORDERS[:6]), "active"] for text in EXPERIMENT_FILTERS]
    asked += [["experiments", "", order, rng.choice(["all", "deleted"])] for order in EXPERIMENT_ORDERS]
    asked += [
        ["models", text, rng.choice(MODEL_ORDERS[:8]), datasets]
        for text in MODEL_FILTERS
        for datasets in MODEL_DATASETS[1:3]
    ]
    asked += [["models", "", order, datasets] for order in MODEL_ORDERS for datasets in MODEL_DATASETS[1:]]
    return asked


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Searches, list[tuple[list[Any], Any]]]]:
    """Treadle's searches over what a stock store holds, and what the stock store answered to each question."""
    rng, folder = random.Random(3), tmp_path_factory.mktemp("search")
    runs = some_runs(rng)
    asked = some_questions(rng)
    (folder / "asked.json").write_text(json.dumps({"runs": [asdict(run) for run in runs], "asked": asked}))
    files = [str(folder / "asked.json"), str(folder / "answers.json")]
    subprocess.run([str(PEERS_PYTHON), str(PROGRAM), *files], check=True, cwd=folder, capture_output=True)
    told = json.loads((folder / "answers.json").read_text())
    for run, found in zip(runs, told["ids"], strict=True):
        run.run = found
        run.tags["mlflow.runName"] = run.name
    store = embedded_store(folder)
    fill(store, runs)
    fill_others(store, told)
    yield Searches(store, lambda _: None), list(zip(asked, told["answers"], strict=True))
    store.close()


def fill_others(store: SqliteStore, told: dict[str, Any]) -> None:
    """The experiments and logged models as the stock store has them."""

    def work(tx: Transaction) -> None:
        for one in told["experiments"]:
            number = int(one["experiment_id"])
            times = (one["creation_time"], one["last_update_time"])
            insert(tx, "experiment", [(number, one["name"], "", one["lifecycle_stage"], *times)])
            insert(tx, "experiment_tag", [(number, key, value) for key, value in one["tags"].items()])
        for one in told["models"]:
            model, times = one["model_id"], (one["creation_timestamp"], one["last_updated_timestamp"])
            row = (
                model,
                0,
                one["name"],
                "",
                *times,
                one["status"],
                "active",
                one["model_type"],
                one["source_run_id"],
                None,
            )
            insert(tx, "logged_model", [row])
            insert(tx, "logged_model_param", [(model, key, value, 0) for key, value in one["params"].items()])
            insert(tx, "logged_model_tag", [(model, key, value, 0) for key, value in one["tags"].items()])
            points = [
                (
                    model, point["key"], point["timestamp"], point["step"], point["run_id"], point["value"], 0, None,
                    point["dataset_name"], point["dataset_digest"], 0,
                )
                for point in one["metrics"]
            ]  # fmt: skip
            insert(tx, "logged_model_metric", points)

    store.write(work)


def ask(searches: Searches, noun: str, text: str, order: list[Any], more: Any) -> list[str] | None:
    """The ids that Treadle finds, on all pages; None for a question that it refuses."""
    caller, found, token = Caller(project="p", actor="ann"), list[str](), None
    try:
        while True:
            if noun == "runs":
                runs = searches.runs(
                    caller,
                    SearchRuns(experiments=["0"], filter=text, order_by=order, view=more, limit=40, token=token),
                )
                found, token = found + [one.run for one in runs.items], runs.next
            elif noun == "experiments":
                page = searches.experiments(
                    caller, SearchExperiments(filter=text, order_by=order, view=more, limit=40, token=token)
                )
                found, token = found + [str(one.number) for one in page.items], page.next
            else:
                orders = [
                    ModelOrder(
                        field=one["field_name"],
                        is_ascending=one.get("ascending", True),
                        dataset=one.get("dataset_name"),
                        digest=one.get("dataset_digest"),
                    )
                    for one in order
                ]
                datasets = [OnDataset(name=one["dataset_name"], digest=one.get("dataset_digest")) for one in more]
                asked = SearchLoggedModels(
                    experiments=["0"], filter=text, order_by=orders, datasets=datasets, limit=40, token=token
                )
                models = searches.logged_models(caller, asked)
                found, token = found + [one.model for one in models.items], models.next
            if token is None:
                return found
    except InvalidInput:
        return None


def test_what_a_stock_store_answers_treadle_answers_alike(
    answered: tuple[Searches, list[tuple[list[Any], Any]]],
) -> None:
    searches, asked = answered

    different = [
        (question, theirs, ours)
        for question, theirs in asked
        if isinstance(theirs, list) and (ours := ask(searches, *question)) != theirs
    ]

    assert different == []
    assert sum(isinstance(theirs, list) for _, theirs in asked) > 200


def test_what_a_stock_store_refuses_treadle_refuses_or_understands(
    answered: tuple[Searches, list[tuple[list[Any], Any]]],
) -> None:
    searches, asked = answered
    refused = [question for question, theirs in asked if isinstance(theirs, str)]

    understood = {
        f"{noun}: {text or order}"
        for noun, text, order, more in refused
        if ask(searches, noun, text, order, more) is not None
    }

    assert len(understood) < len(refused) / 2
    assert "runs: (params.p = 'x')" in understood
