"""Random sequences of raw calls of the protocol, put to both servers at once.

A step is one question or a few; it names things by their place among those made so far, so that a sequence can be made
shorter and still means something. Names begin with a prefix of the sequence's own: what earlier ones left does not matter.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.peers import questions as q
from tests.peers.twins import Twins

M = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_numbers = itertools.count(1)
_STRAY: dict[str, Any] = {"makes": ("run", "info", "run_id"), "kind": "stray"}


def without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def each_once(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs without those that repeat a key, which break a stock server's statement."""
    return list({str(pair["key"]): pair for pair in pairs}.values())


class Sequence(RuleBasedStateMachine):
    """See the module; `twins` is set by the test before it runs."""

    twins: Twins

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"s{next(_numbers):05d}"
        self.twins.words.clear()
        self.clock = 1_600_000_000_000
        self.names: list[str] = []
        self.new_experiment("home", [])
        self.new_run(0, "first", [])

    # -- what is there -------------------------------------------------------------------------------------------------

    def word(self, kind: str, place: int) -> str:
        """One of the things made so far, or now and then one that never was."""
        known = self.twins.words.get(kind, [])
        if not known:
            return {"experiment": "987654321", "model": "m-" + "0" * 32}.get(kind, "0" * 32)
        return known[place % len(known)]

    def name(self, place: int) -> str:
        return self.names[place % len(self.names)] if self.names else f"{self.prefix}-none"

    def post(self, path: str, body: Any, **more: Any) -> Any:
        return self.twins.ask("POST", f"{M}/{path}", body, **more)

    def get(self, path: str, /, **query: Any) -> Any:
        return self.twins.ask("GET", f"{M}/{path}", query=without_none(**query))

    # -- experiments ---------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["a", "A", "b", "ünï", "home"]), tags=q.lists(q.pairs(q.tag_values), 2))
    def new_experiment(self, name: str, tags: list[Any]) -> None:
        tags = each_once(tags)
        body = {"name": f"{self.prefix}-{name}", **({"tags": tags} if tags else {})}
        self.post("experiments/create", body, makes=("experiment_id",), kind="experiment")

    @rule(
        name=st.sampled_from(["", None, "x" * 501, 7, "x" * 500]),
        location=st.sampled_from([None, "file:///etc#x"]),
    )
    def wrong_experiment(self, name: Any, location: str | None) -> None:
        if location:  # one thing is wrong at a time: which of two is told of first is nobody's promise
            name = "a"
        if name and isinstance(name, str) and len(name) <= 500:
            name = (self.prefix + name)[:500]
        body = without_none(name=name, artifact_location=location)
        self.post("experiments/create", body, makes=("experiment_id",), kind="experiment")

    @rule(which=q.picks)
    def see_experiment(self, which: int) -> None:
        self.get("experiments/get", experiment_id=self.word("experiment", which))

    @rule(name=st.sampled_from(["a", "A", "b", "home", "renamed", "never"]))
    def see_experiment_by_name(self, name: str) -> None:
        self.get("experiments/get-by-name", experiment_name=f"{self.prefix}-{name}")

    @rule(which=q.picks, name=st.sampled_from(["renamed", "a", "", None]))
    def rename_experiment(self, which: int, name: str | None) -> None:
        new = f"{self.prefix}-{name}" if name else name
        self.post("experiments/update", without_none(experiment_id=self.word("experiment", which), new_name=new))

    @rule(which=st.integers(1, 5), way=st.sampled_from(["delete", "restore", "restore"]))
    def delete_or_restore_experiment(self, which: int, way: str) -> None:
        self.post(f"experiments/{way}", {"experiment_id": self.word("experiment", which)})

    @rule(which=q.picks, pair=q.pairs(q.tag_values), is_set=st.booleans())
    def tag_experiment(self, which: int, pair: dict[str, Any], is_set: bool) -> None:
        body = {"experiment_id": self.word("experiment", which), **pair}
        if not is_set:
            body.pop("value", None)
        self.post(f"experiments/{'set' if is_set else 'delete'}-experiment-tag", body)

    @rule(filter=q.experiment_filters, orders=q.experiment_orders, size=q.page_sizes, view=q.views)
    def search_experiments(self, filter: str, orders: list[str], size: Any, view: str | None) -> None:
        # The names of this sequence alone: what earlier ones left would fill the pages.
        asked = filter.format(self.prefix)
        mine = f"name LIKE '{self.prefix}%'"
        body = without_none(
            filter=f"{mine} AND {asked}" if asked else mine,
            order_by=orders, max_results=3 if size is None else size, view_type=view,
        )  # fmt: skip
        self.walk("experiments/search", body)

    def walk(self, path: str, body: dict[str, Any], most: int = 3) -> None:
        """Asks for a page and for those after it."""
        for _ in range(most):
            answer = self.post(path, body, makes=("next_page_token",), kind="page")
            token = self.next_page(answer)
            if token is None:
                break
            body = {**body, "page_token": token}

    def next_page(self, answer: Any) -> str | None:
        """The word for the next page's token, where both have one."""
        known = self.twins.words.get("page")
        return known[-1] if known and isinstance(answer, dict) and answer.get("next_page_token") else None

    # -- runs ----------------------------------------------------------------------------------------------------------

    @rule(
        which=q.picks,
        name=st.sampled_from(["a", "Value", "run ünï", "with 'quote'"]),
        tags=q.lists(q.pairs(q.tag_values), 2),
    )
    def new_run(self, which: int, name: str, tags: list[Any]) -> None:
        self.clock += 1000
        tags = each_once(tags)
        body = {
            "experiment_id": self.word("experiment", which),
            "run_name": name, "start_time": self.clock, "user_id": "ada",
            **({"tags": tags} if tags else {}),
        }  # fmt: skip
        self.post("runs/create", body, makes=("run", "info", "run_id"), kind="run")

    @rule(experiment=q.wrong, start=st.sampled_from([None, "x", -1, "12"]))
    def wrong_run(self, experiment: Any, start: Any) -> None:
        self.post("runs/create", without_none(experiment_id=experiment, run_name="n", start_time=start), **_STRAY)

    @rule(which=q.picks)
    def see_run(self, which: int) -> None:
        self.get("runs/get", run_id=self.word("run", which))

    @rule(
        route=st.sampled_from(["runs/get", "runs/update", "runs/delete", "runs/log-metric", "runs/set-tag"]),
        run=q.wrong,
    )
    def wrong_run_id(self, route: str, run: Any) -> None:
        if route == "runs/get":
            self.get(route, run_id=run)
        else:
            self.post(route, without_none(run_id=run, key="a", value=1 if "metric" in route else "1", timestamp=1))

    @rule(
        which=q.picks,
        status=st.sampled_from([None, "FINISHED", "FAILED", "RUNNING", "SCHEDULED", "KILLED", "bogus", 3]),
        end=st.sampled_from([None, 5, "6", 1_600_000_900_000]),
        name=st.sampled_from([None, "", "renamed", "Value"]),
    )
    def update_run(self, which: int, status: Any, end: Any, name: str | None) -> None:
        body = without_none(run_id=self.word("run", which), status=status, end_time=end, run_name=name)
        self.post("runs/update", body)

    @rule(which=st.integers(1, 5), way=st.sampled_from(["delete", "restore", "restore"]))
    def delete_or_restore_run(self, which: int, way: str) -> None:
        self.post(f"runs/{way}", {"run_id": self.word("run", which)})

    @rule(which=q.picks, point=q.metrics())
    def log_metric(self, which: int, point: dict[str, Any]) -> None:
        self.post("runs/log-metric", {"run_id": self.word("run", which), **without_none(**point)})

    @rule(which=q.picks, pair=q.pairs(q.param_values))
    def log_param(self, which: int, pair: dict[str, Any]) -> None:
        self.post("runs/log-parameter", {"run_id": self.word("run", which), **pair})

    @rule(which=q.picks, pair=q.pairs(q.tag_values), is_set=st.sampled_from([True, True, False]))
    def tag_run(self, which: int, pair: dict[str, Any], is_set: bool) -> None:
        body = {"run_id": self.word("run", which), **pair}
        if not is_set:
            body.pop("value", None)
        self.post(f"runs/{'set' if is_set else 'delete'}-tag", body)

    @rule(
        which=q.picks,
        metrics=q.lists(q.metrics(), 6),
        params=q.lists(q.pairs(q.param_values)),
        tags=q.lists(q.pairs(q.tag_values)),
    )
    def log_batch(self, which: int, metrics: list[Any], params: list[Any], tags: list[Any]) -> None:
        body = {"run_id": self.word("run", which), "metrics": metrics, "params": params, "tags": tags}
        self.post("runs/log-batch", body)
        self.get("runs/get", run_id=self.word("run", which))

    @rule(
        which=q.picks,
        sizes=st.sampled_from([(1000, 0, 0), (1001, 0, 0), (0, 101, 0), (0, 0, 101), (900, 100, 1), (0, 100, 100)]),
    )
    def log_large_batch(self, which: int, sizes: tuple[int, int, int]) -> None:
        metrics, params, tags = sizes
        body = {
            "run_id": self.word("run", which),
            "metrics": [{"key": f"m{at % 3}", "value": at, "timestamp": at, "step": at} for at in range(metrics)],
            "params": [{"key": f"p{at}", "value": "v"} for at in range(params)],
            "tags": [{"key": f"t{at}", "value": "v"} for at in range(tags)],
        }
        self.post("runs/log-batch", body)

    @rule(which=q.picks, key=q.few_keys, size=st.sampled_from([None, None, 1, 2, 0, -1, 25001]))
    def see_history(self, which: int, key: str, size: int | None) -> None:
        run = self.word("run", which)
        token = None
        for _ in range(4):
            asked = without_none(run_id=run, metric_key=key, max_results=size, page_token=token)
            answer = self.twins.ask(
                "GET", f"{M}/metrics/get-history", query=asked, makes=("next_page_token",), kind="page"
            )
            token = self.next_page(answer)
            if token is None:
                break

    @rule(
        runs=st.lists(q.picks, min_size=1, max_size=2),
        key=q.few_keys,
        start=st.sampled_from([None, 0, 1]),
        most=st.sampled_from([None, 2, 100]),
    )
    def see_bulk_history(self, runs: list[int], key: str, start: int | None, most: int | None) -> None:
        asked = [("run_ids", self.word("run", one)) for one in runs]
        asked += [
            ("metric_key", key),
            *without_none(start_step=start, end_step=None if start is None else 4, max_results=most).items(),
        ]
        self.twins.ask("GET", f"{M}/metrics/get-history-bulk-interval", query=asked)

    @rule(
        experiments=st.lists(q.picks, min_size=1, max_size=3),
        filter=q.run_filters,
        orders=q.run_orders,
        size=q.page_sizes,
        view=q.views,
    )
    def search_runs(self, experiments: list[int], filter: str, orders: list[str], size: Any, view: str | None) -> None:
        ids = [self.word("experiment", one) for one in experiments]
        body = without_none(experiment_ids=ids, filter=filter, order_by=orders, max_results=size, run_view_type=view)
        self.walk("runs/search", body)

    # -- data and models -----------------------------------------------------------------------------------------------

    @rule(
        which=q.picks, name=st.sampled_from(["flights", "Flights", "x" * 501, ""]), digest=st.sampled_from(["d1", "d2", "x" * 37]),
        context=st.sampled_from([None, "train", "eval"]), model=q.picks,
    )  # fmt: skip
    def log_inputs(self, which: int, name: str, digest: str, context: str | None, model: int) -> None:
        data = {
            "dataset": {
                "name": name,
                "digest": digest,
                "source_type": "local",
                "source": "{}",
                "schema": "{}",
                "profile": "{}",
            },
            "tags": [{"key": "mlflow.data.context", "value": context}] if context else [],
        }
        body = {"run_id": self.word("run", which), "datasets": [data]}
        if self.twins.words.get("model") and model == 0:
            body["models"] = [{"model_id": self.word("model", model)}]
        self.post("runs/log-inputs", body)
        self.get("runs/get", run_id=self.word("run", which))

    @rule(which=q.picks, model=q.picks, step=st.sampled_from([0, 3]))
    def log_outputs(self, which: int, model: int, step: int) -> None:
        models = [{"model_id": self.word("model", model), "step": step}]
        self.post("runs/outputs", {"run_id": self.word("run", which), "models": models})
        self.get("runs/get", run_id=self.word("run", which))

    @rule(
        experiment=q.picks, run=q.picks, name=st.sampled_from(["a", "ab", "b", "a/b", "a:b"]), kind=st.sampled_from([None, "Agent"]),
        params=q.lists(q.pairs(), 2), tags=q.lists(q.pairs(), 2),
    )  # fmt: skip
    def new_logged_model(
        self, experiment: int, run: int, name: str, kind: str | None, params: list[Any], tags: list[Any]
    ) -> None:
        body = without_none(
            experiment_id=self.word("experiment", experiment), name=name, model_type=kind,
            source_run_id=self.word("run", run), params=each_once(params) or None, tags=each_once(tags) or None,
        )  # fmt: skip
        self.post("logged-models", body, makes=("model", "info", "model_id"), kind="model")

    @rule(which=q.picks, status=st.sampled_from(["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", 2]))
    def finish_logged_model(self, which: int, status: Any) -> None:
        model = self.word("model", which)
        self.twins.ask("PATCH", f"{M}/logged-models/{model}", {"model_id": model, "status": status})
        self.twins.ask("GET", f"{M}/logged-models/{model}")

    @rule(which=q.picks, pairs=q.lists(q.pairs(), 2), way=st.sampled_from(["tags", "params", "untag"]))
    def describe_logged_model(self, which: int, pairs: list[Any], way: str) -> None:
        model = self.word("model", which)
        where = f"{M}/logged-models/{model}"
        if way == "tags":
            self.twins.ask("PATCH", f"{where}/tags", {"model_id": model, "tags": pairs})
        elif way == "params":
            self.twins.ask("POST", f"{where}/params", {"model_id": model, "params": pairs})
        else:
            self.twins.ask("DELETE", f"{where}/tags/a")
        self.twins.ask("GET", where)

    @rule(which=q.picks, run=q.picks, value=q.finite, data=st.sampled_from([None, "d1"]))
    def measure_logged_model(self, which: int, run: int, value: float, data: str | None) -> None:
        if not self.twins.words.get("model"):
            return
        self.clock += 1000  # a point that repeats breaks a stock server's statement
        body = {
            "run_id": self.word("run", run), "key": "loss", "value": value, "timestamp": self.clock, "step": 1,
            "model_id": self.word("model", which),
            **({"dataset_name": "flights", "dataset_digest": data} if data else {}),
        }  # fmt: skip
        self.post("runs/log-metric", body)
        self.twins.ask("GET", f"{M}/logged-models/{self.word('model', which)}")

    @rule(which=q.picks)
    def delete_logged_model(self, which: int) -> None:
        self.twins.ask("DELETE", f"{M}/logged-models/{self.word('model', which)}")

    @rule(
        experiments=st.lists(q.picks, min_size=1, max_size=2),
        filter=q.logged_filters,
        orders=q.logged_orders,
        size=q.page_sizes,
    )
    def search_logged_models(self, experiments: list[int], filter: str, orders: list[Any], size: Any) -> None:
        ids = [self.word("experiment", one) for one in experiments]
        self.walk(
            "logged-models/search", without_none(experiment_ids=ids, filter=filter, order_by=orders, max_results=size)
        )

    # -- the registry --------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["a", "A", "b"]), text=st.sampled_from([None, "said"]), tags=q.lists(q.pairs(), 2))
    def new_registered_model(self, name: str, text: str | None, tags: list[Any]) -> None:
        full = f"{self.prefix}-{name}"
        if self.post("registered-models/create", without_none(name=full, description=text, tags=tags or None)):
            self.names.append(full)

    @rule(name=st.sampled_from(["", None, "a/b", "a:b", 7, "x" * 257, "a%b", "."]))
    def wrong_registered_model(self, name: Any) -> None:
        self.post("registered-models/create", without_none(name=name))

    @rule(which=q.picks)
    def see_registered_model(self, which: int) -> None:
        self.get("registered-models/get", name=self.name(which))

    @rule(which=q.picks, text=st.sampled_from(["new text", "", None]))
    def describe_registered_model(self, which: int, text: str | None) -> None:
        self.twins.ask("PATCH", f"{M}/registered-models/update", without_none(name=self.name(which), description=text))

    @rule(which=q.picks, name=st.sampled_from(["renamed", "a", "b", "x/y", ""]))
    def rename_registered_model(self, which: int, name: str) -> None:
        new = f"{self.prefix}-{name}"
        if self.post("registered-models/rename", {"name": self.name(which), "new_name": new}):
            self.names = [new if one == self.name(which) else one for one in self.names]

    @rule(which=q.picks)
    def delete_registered_model(self, which: int) -> None:
        name = self.name(which)
        self.twins.ask("DELETE", f"{M}/registered-models/delete", {"name": name})
        self.names = [one for one in self.names if one != name]

    @rule(which=q.picks, pair=q.pairs(), is_set=st.booleans())
    def tag_registered_model(self, which: int, pair: dict[str, Any], is_set: bool) -> None:
        self.tag("registered-models", {"name": self.name(which)}, pair, is_set)

    def tag(self, noun: str, place: dict[str, Any], pair: dict[str, Any], is_set: bool) -> None:
        if is_set:
            self.post(f"{noun}/set-tag", {**place, **pair})
        else:
            self.twins.ask("DELETE", f"{M}/{noun}/delete-tag", {**place, "key": pair.get("key")})

    @rule(filter=q.model_filters, orders=q.model_orders, size=st.sampled_from([None, 1, 2, 0, 1000, 1001]))
    def search_registered_models(self, filter: str, orders: list[str], size: int | None) -> None:
        asked = filter.format(self.prefix)
        mine = f"name LIKE '{self.prefix}%'"
        query: list[tuple[str, Any]] = [("filter", f"{mine} AND {asked}" if asked else mine)]
        query += [("order_by", one) for one in orders] + ([] if size is None else [("max_results", size)])
        self.twins.ask("GET", f"{M}/registered-models/search", query=query)

    @rule(
        which=q.picks,
        run=q.picks,
        source=st.sampled_from(["artifacts", "artifacts/model", "elsewhere", "model"]),
        tags=q.lists(q.sound_pairs, 2),
    )
    def new_version(self, which: int, run: int, source: str, tags: list[Any]) -> None:
        found = self.twins.ask("GET", f"{M}/runs/get", query={"run_id": self.word("run", run)})
        if found is None:
            return
        if source == "model":
            place = f"models:/{self.word('model', run)}"
        elif source == "elsewhere":
            place = "/etc"
        else:
            place = f"{found['run']['info']['artifact_uri']}{source.removeprefix('artifacts')}"
        body = {
            "name": self.name(which),
            "source": place,
            "run_id": self.word("run", run),
            **({"tags": tags} if tags else {}),
        }
        self.post("model-versions/create", body)

    @rule(
        which=q.picks,
        version=st.sampled_from(["1", "2", "3", "99", "x", "0", ""]),
        route=st.sampled_from(["get", "get-download-uri"]),
    )
    def see_version(self, which: int, version: str, route: str) -> None:
        self.get(f"model-versions/{route}", name=self.name(which), version=version)

    @rule(which=q.picks, version=st.sampled_from(["1", "2", 3, "99"]), text=st.sampled_from(["text", "", None]))
    def describe_version(self, which: int, version: Any, text: str | None) -> None:
        body = without_none(name=self.name(which), version=version, description=text)
        self.twins.ask("PATCH", f"{M}/model-versions/update", body)

    @rule(which=q.picks, version=st.sampled_from(["1", "2", "3", "99"]))
    def delete_version(self, which: int, version: str) -> None:
        self.twins.ask("DELETE", f"{M}/model-versions/delete", {"name": self.name(which), "version": version})

    @rule(which=q.picks, version=st.sampled_from(["1", "2", "99"]), pair=q.pairs(), is_set=st.booleans())
    def tag_version(self, which: int, version: str, pair: dict[str, Any], is_set: bool) -> None:
        self.tag("model-versions", {"name": self.name(which), "version": version}, pair, is_set)

    @rule(
        which=q.picks, version=st.sampled_from(["1", "2", "3", "99"]), archive=st.sampled_from([None, True, False]),
        stage=st.sampled_from(["Production", "staging", "Archived", "None", "bogus", ""]),
    )  # fmt: skip
    def move_stage(self, which: int, version: str, archive: bool | None, stage: str) -> None:
        body = without_none(name=self.name(which), version=version, stage=stage, archive_existing_versions=archive)
        self.post("model-versions/transition-stage", body)

    @rule(
        which=q.picks,
        stages=st.sampled_from([None, ["Production"], ["None", "Staging"], ["bogus"]]),
        is_get=st.booleans(),
    )
    def see_latest(self, which: int, stages: list[str] | None, is_get: bool) -> None:
        if is_get:
            query = [("name", self.name(which)), *(("stages", one) for one in stages or [])]
            self.twins.ask("GET", f"{M}/registered-models/get-latest-versions", query=query)
        else:
            self.post("registered-models/get-latest-versions", without_none(name=self.name(which), stages=stages))

    @rule(
        which=q.picks, version=st.sampled_from(["1", "2", "99"]), way=st.sampled_from(["POST", "POST", "GET", "DELETE"]),
        alias=st.sampled_from(["champion", "Champion", "best one", "v1", "latest", "x" * 256, "", "é"]),
    )  # fmt: skip
    def alias(self, which: int, version: Any, way: str, alias: str) -> None:
        place = {"name": self.name(which), "alias": alias}
        if way == "GET":
            self.get("registered-models/alias", **place)
        else:
            body = {**place, "version": version} if way == "POST" else place
            self.twins.ask(way, f"{M}/registered-models/alias", body)
        self.get("registered-models/get", name=self.name(which))

    @rule(filter=q.version_filters, orders=q.version_orders, size=st.sampled_from([None, 1, 2, 0, 200_001]))
    def search_versions(self, filter: str, orders: list[str], size: int | None) -> None:
        asked = filter.format(self.prefix)
        mine = f"name LIKE '{self.prefix}%'"
        query: list[tuple[str, Any]] = [("filter", f"{mine} AND {asked}" if asked else mine)]
        query += [("order_by", one) for one in orders] + ([] if size is None else [("max_results", size)])
        self.twins.ask("GET", f"{M}/model-versions/search", query=query)

    # -- files ---------------------------------------------------------------------------------------------------------

    def place(self, which: int) -> str:
        """Where a run's files lie behind the proxy; runs of these sequences lie in the experiment that they are in."""
        found = self.twins.ask("GET", f"{M}/runs/get", query={"run_id": self.word("run", which)})
        return "" if found is None else str(found["run"]["info"]["artifact_uri"]).removeprefix("mlflow-artifacts:/")

    @rule(which=q.picks, path=q.paths, content=st.sampled_from([b"", b"one", b"two\n", bytes(range(256)) * 40]))
    def put_file(self, which: int, path: str, content: bytes) -> None:
        if place := self.place(which):
            self.twins.ask("PUT", f"{PROXY}/{place}/{path}", raw=content)

    @rule(which=q.picks, path=q.paths)
    def see_file(self, which: int, path: str) -> None:
        if place := self.place(which):
            self.twins.ask("GET", f"{PROXY}/{place}/{path}")

    @rule(which=q.picks, path=q.paths)
    def delete_file(self, which: int, path: str) -> None:
        if place := self.place(which):
            self.twins.ask("DELETE", f"{PROXY}/{place}/{path}")

    @rule(
        which=q.picks,
        path=st.one_of(st.none(), st.sampled_from(["dir", "dir/deep", "a.txt", "nowhere", "..", "/etc"])),
        is_proxy=st.booleans(),
    )
    def list_files(self, which: int, path: str | None, is_proxy: bool) -> None:
        if not is_proxy:
            self.get("artifacts/list", run_id=self.word("run", which), path=path)
        elif place := self.place(which):
            self.twins.ask("GET", PROXY, query={"path": f"{place}/{path}" if path else place})

    @rule(which=q.picks, path=q.bad_paths, way=st.sampled_from(["PUT", "GET", "DELETE"]))
    def wrong_path(self, which: int, path: str, way: str) -> None:
        if way == "PUT" and path in q.STORED_BY_STOCK:
            return  # a file that the other refuses; test_differences asks for them
        if place := self.place(which):
            self.twins.ask(way, f"{PROXY}/{place}/{path}", raw=b"x" if way == "PUT" else None)

    # -- the wire ------------------------------------------------------------------------------------------------------

    @rule(
        route=st.sampled_from(
            ["runs/create", "runs/log-batch", "experiments/create", "registered-models/create", "runs/search"]
        ),
        raw=st.sampled_from([b"{", b"[]", b"null", b'"x"', b"{}", b'{"unknown": 1}', b'{"run_id": {}}', b"\xff\xfe"]),
    )
    def malformed(self, route: str, raw: bytes) -> None:
        self.twins.ask("POST", f"{M}/{route}", raw=raw)

    @rule(
        path=st.sampled_from(["runs/nothing", "nothing", "runs/create/"]), way=st.sampled_from(["GET", "POST", "PUT"])
    )
    def unknown_route(self, path: str, way: str) -> None:
        self.twins.ask(way, f"{M}/{path}", {} if way != "GET" else None)
