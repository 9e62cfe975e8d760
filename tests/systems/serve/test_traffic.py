"""Traffic: shadows look on and never answer, a drained endpoint takes nothing new, nobody asks more than she may."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.systems.serve.control import CALLER, Control, Sink, make_control
from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import Server, start_server
from treadle.systems.serve import (
    DeployEndpoint,
    DrainTraffic,
    EndpointNamed,
    PredictionShipper,
    RollBackEndpoint,
    ShadowTraffic,
    SplitTraffic,
)
from treadle.systems.serve.errors import BadDeployment, RevisionNotFound
from treadle.systems.serve.runtime.documents import Limits, read_document
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, RouteTable
from treadle.systems.serve.runtime.errors import TimedOut, TooManyRequests
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.inference import Answer, Inference, ModelFailed
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.rates import Rates
from treadle.systems.serve.runtime.shadowing import Shadowing

ROWS = [{"a": 0.5, "b": -1.0, "c": 0.25}, {"a": 0.0, "b": 1.0, "c": -2.0}]
OTHER = flights_model(numeric=True, seed=2)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    made = make_control(tmp_path)
    made.endpoints.deploy(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="1"))
    return made


def shadow(control: Control, version: str = "2", **given: Any) -> Any:
    request = ShadowTraffic(endpoint="numbers", model="late-arrival", version=version, **given)
    return control.traffic.shadow(CALLER, request)


# -- the control plane ------------------------------------------------------------------------------------------------


def test_a_shadow_changes_nothing_of_what_answers(control: Control) -> None:
    endpoint = shadow(control, share=0.5, reason="look on")

    assert (endpoint.route.weights, endpoint.route.shadows) == ({"1": 1.0}, {"2": 0.5})
    document = read_document(control.serving / "routes", "numbers")
    assert [(one.number, one.weight) for one in document.shadows] == [(2, 0.5)]
    assert control.kinds()[-1] == "endpoint.shadowed"


def test_a_shadow_ends_at_share_zero_or_when_it_is_to_answer(control: Control) -> None:
    shadow(control)
    ended = shadow(control, share=0.0)
    shadow(control)
    deployed = control.endpoints.deploy(
        CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="2", share=0.1)
    )

    assert ended.route.shadows == {}
    assert (deployed.route.weights, deployed.route.shadows) == ({"1": 0.9, "2": 0.1}, {})


def test_what_answers_is_no_shadow(control: Control) -> None:
    with pytest.raises(BadDeployment, match="answers already"):
        shadow(control, version="1")


def test_a_split_keeps_the_shadows_that_are_there(control: Control) -> None:
    control.endpoints.deploy(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="2", share=0.5))
    control.registry.add(flights_model(numeric=True, seed=3))
    shadow(control, version="3")
    route = control.traffic.split(CALLER, SplitTraffic(endpoint="numbers", weights={"1": 0.9, "2": 0.1})).route

    assert (route.weights, route.shadows) == ({"1": 0.9, "2": 0.1}, {"3": 1.0})


def test_draining_a_revision_gives_its_share_to_the_others(control: Control) -> None:
    control.endpoints.deploy(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="2", share=0.5))

    drained = control.traffic.drain(CALLER, DrainTraffic(endpoint="numbers", revision=1))

    assert drained.route.weights == {"2": 1.0}
    with pytest.raises(BadDeployment, match="serves alone"):
        control.traffic.drain(CALLER, DrainTraffic(endpoint="numbers", revision=2))
    with pytest.raises(RevisionNotFound, match="sends revision 9 nothing"):
        control.traffic.drain(CALLER, DrainTraffic(endpoint="numbers", revision=9))


def test_a_drained_endpoint_refuses_what_is_new_until_it_is_rolled_back(control: Control) -> None:
    control.traffic.drain(CALLER, DrainTraffic(endpoint="numbers"))
    with start_server(control.serving) as server:
        refused = server.http.post("/predict/numbers", json={"rows": ROWS})
        ready = server.http.get("/v2/models/numbers/ready")
        control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers"))
        answered = eventually(lambda: server.http.post("/predict/numbers", json={"rows": ROWS}), lambda r: r.is_success)

    assert (refused.status_code, refused.headers["retry-after"], ready.status_code) == (503, "1", 503)
    assert "drained" in refused.json()["error"]
    assert len(answered.json()["predictions"]) == 2
    assert not control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).endpoint.route.is_drained


# -- shadows on a real server -----------------------------------------------------------------------------------------


def test_a_shadow_scores_the_same_rows_and_lands_apart(control: Control) -> None:
    shadow(control)
    sink = Sink()
    with start_server(control.serving) as server:
        answers = [server.http.post("/predict/numbers", json={"rows": ROWS}).json() for _ in range(5)]
        eventually(lambda: counted(server, "treadle_shadow_predictions_total"), lambda n: n == 10)
        PredictionShipper(control.serving, sink).ship()

    answered = {row["prediction_id"]: row for row in sink.rows("numbers")}
    copies = sink.rows("shadows.numbers")
    assert {row["revision"] for row in answered.values()} == {1}
    assert {row["revision"] for row in copies} == {2}
    assert sorted(row["shadow_of"] for row in copies) == sorted(answered)
    assert all(answered[row["shadow_of"]]["in_a"] == row["in_a"] for row in copies)
    expected = [OTHER.manifest.probe.scores[at][0] for at in range(2)]
    assert sorted({row["output"] for row in copies}) == pytest.approx(sorted(expected))
    assert {answer["revision"] for answer in answers} == {1}
    assert min(row["model_us"] for row in answered.values()) > 0


def counted(server: Server, family: str) -> int:
    lines = server.http.get("/metrics").text.splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(family + "{"))


def eventually(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """What `look` answers once it holds; a server follows its documents within a second, its shadows sooner."""
    for _ in range(2000):
        found = look()
        if holds(found):
            return found
        threading.Event().wait(0.005)
    raise AssertionError(f"it never held: {found}")


# -- the parts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    opened = PredictionLog(tmp_path / "serving" / "predictions" / "srv_1")
    yield opened
    opened.close()


def live(tmp_path: Path, **limits: Any) -> LiveEndpoint:
    """An endpoint whose second revision is a shadow of the first."""
    deploy(tmp_path / "serving", "numbers", flights_model(numeric=True), OTHER, weights=(0.5, 0.5), **limits)
    table = RouteTable(tmp_path / "serving", "srv_1")
    endpoint = table.load("numbers")
    assert endpoint is not None
    first, second = endpoint.revisions
    context = replace_struct(second.context, is_shadow=True)
    return replace(endpoint, revisions=(first,), shadows=(replace(second, upper=1.0, context=context),))


def replace_struct(record: Any, **given: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(record, **given)


class Broken:
    """An engine that raises."""

    name, version, threads = "broken", "1", 1

    def predict(self, matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raise ZeroDivisionError("no model has such an hour")


def broken(revision: Any) -> Any:
    return replace(revision, model=replace(revision.model, engine=Broken()))


def ask(inference: Inference, endpoint: LiveEndpoint) -> Any:
    return inference.answer(endpoint, lambda revision: revision.model.plan.from_rows(ROWS), None, None, 0.0)


def shipped(log: PredictionLog) -> Sink:
    sink = Sink()
    PredictionShipper(log.folder.parent.parent, sink).ship()
    return sink


def test_copies_that_nobody_has_time_for_are_dropped_and_counted(tmp_path: Path, log: PredictionLog) -> None:
    """The shadow's thread is held: of three copies of two rows two fit, and every answer is given at once."""
    endpoint, metrics, gate = live(tmp_path), Metrics(), threading.Event()

    async def run(executor: ThreadPoolExecutor) -> list[Answer]:
        executor.submit(gate.wait)
        shadowing = Shadowing(log, metrics, executor, max_waiting_rows=4)
        inference = Inference(log, metrics, executor, shadowing)
        answers = [await ask(inference, endpoint) for _ in range(3)]
        gate.set()
        while metrics.shadow_rows["numbers", 2] < 4:
            await asyncio.sleep(0)
        return answers

    with ThreadPoolExecutor(1) as executor:
        answers = asyncio.run(run(executor))

    assert [len(answer.ids) for answer in answers] == [2, 2, 2]
    assert metrics.shadows_dropped["numbers", 2] == 1
    assert len(shipped(log).rows("shadows.numbers")) == 4


def test_a_shadow_that_fails_disturbs_nobody_and_is_recorded(tmp_path: Path, log: PredictionLog) -> None:
    endpoint, metrics = live(tmp_path), Metrics()
    endpoint = replace(endpoint, shadows=(broken(endpoint.shadows[0]),))

    async def run(executor: ThreadPoolExecutor) -> Answer:
        answer: Answer = await ask(Inference(log, metrics, executor, Shadowing(log, metrics, executor)), endpoint)
        while not metrics.shadows_failed["numbers", 2]:
            await asyncio.sleep(0)
        return answer

    with ThreadPoolExecutor(1) as executor:
        answer = asyncio.run(run(executor))

    failures = shipped(log).rows("failures.numbers")
    assert len(answer.ids) == 2
    assert [(row["revision"], row["is_shadow"], row["error"], row["in_a"]) for row in failures] == [
        (2, True, "infer.model_failed", 0.5),
        (2, True, "infer.model_failed", 0.0),
    ]


def test_a_share_of_the_requests_is_copied_by_unit(tmp_path: Path, log: PredictionLog) -> None:
    endpoint, metrics = live(tmp_path), Metrics()
    endpoint = replace(endpoint, shadows=(replace(endpoint.shadows[0], upper=0.25),))
    batch = endpoint.revisions[0].model.plan.from_rows(ROWS[:1])

    async def run(executor: ThreadPoolExecutor) -> int:
        shadowing = Shadowing(log, metrics, executor, max_waiting_rows=0)
        for unit in range(2000):
            shadowing.offer(endpoint, lambda revision: batch, 1, 0, None, str(unit))
        return metrics.shadows_dropped["numbers", 2]

    with ThreadPoolExecutor(1) as executor:
        copied = asyncio.run(run(executor))

    assert 400 < copied < 600


def test_a_request_on_which_the_model_fails_is_logged_with_its_inputs(tmp_path: Path, log: PredictionLog) -> None:
    endpoint, metrics = live(tmp_path), Metrics()
    endpoint = replace(endpoint, revisions=(broken(endpoint.revisions[0]),), shadows=())

    with ThreadPoolExecutor(1) as executor, pytest.raises(ModelFailed):
        asyncio.run(ask(Inference(log, metrics, executor, Shadowing(log, metrics, executor)), endpoint))

    failures = shipped(log).rows("failures.numbers")
    assert [(row["revision"], row["is_shadow"], row["error"], row["in_b"]) for row in failures] == [
        (1, False, "infer.model_failed", -1.0),
        (1, False, "infer.model_failed", 1.0),
    ]


def test_a_request_that_waits_too_long_is_given_up_and_still_counted(tmp_path: Path, log: PredictionLog) -> None:
    """The thread is held. The one that gave up still holds its place until its call is done with."""
    endpoint, metrics, gate = live(tmp_path, inline_ms=0, timeout_ms=1), Metrics(), threading.Event()

    async def run(executor: ThreadPoolExecutor) -> tuple[int, int]:
        executor.submit(gate.wait)
        inference = Inference(log, metrics, executor, Shadowing(log, metrics, executor))
        with pytest.raises(TimedOut, match="did not answer within 1 ms"):
            await ask(inference, endpoint)
        gate.set()
        await asyncio.wrap_future(executor.submit(lambda: None))
        await asyncio.sleep(0)
        return inference.waiting, len(shipped(log).rows("failures.numbers"))

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(run(executor)) == (0, 2)


# -- who may ask how often --------------------------------------------------------------------------------------------


def test_a_caller_may_ask_as_often_as_the_rate_allows() -> None:
    now = [0.0]
    rates, limits = Rates(lambda: now[0]), Limits(requests_per_s=2, burst=3)
    for _ in range(3):
        rates.take("numbers", b"ada", limits)

    with pytest.raises(TooManyRequests, match="2 requests a second"):
        rates.take("numbers", b"ada", limits)

    rates.take("numbers", b"bob", limits)
    rates.take("letters", b"ada", limits)
    now[0] = 0.5
    rates.take("numbers", b"ada", limits)
    with pytest.raises(TooManyRequests) as refused:
        rates.take("numbers", b"ada", limits)
    assert refused.value.context["retry_after_s"] == 1


def test_over_any_stretch_of_time_no_more_than_rate_and_burst_pass() -> None:
    now, rng = [0.0], np.random.default_rng(1)
    rates, limits, passed = Rates(lambda: now[0]), Limits(requests_per_s=5, burst=7), []
    for pause in rng.exponential(0.05, 3000):
        now[0] += float(pause)
        try:
            rates.take("numbers", b"ada", limits)
        except TooManyRequests:
            continue
        passed.append(now[0])

    times = np.array(passed)
    for first in range(0, len(times), 17):
        later = times[first:]
        assert (np.arange(1, len(later) + 1) <= 7 + 5 * (later - later[0]) + 1e-6).all()


def test_each_of_several_tokens_opens_the_server_and_an_empty_one_does_not() -> None:
    from treadle.systems.serve.runtime.bodies import RequestHead
    from treadle.systems.serve.runtime.errors import NoToken

    guard = Guard("one, two,", loopback=False)
    for token in (b"Bearer one", b"Bearer two"):
        guard.check(RequestHead(authorization=token))
    for token in (b"Bearer ", b"", b"Bearer one, two,", b"Bearer three"):
        with pytest.raises(NoToken):
            guard.check(RequestHead(authorization=token))


@pytest.mark.parametrize("path", ["/predict/numbers", "/v2/models/numbers/infer"])
def test_a_server_says_429_and_when_to_come_back(tmp_path: Path, path: str) -> None:
    deploy(tmp_path / "serving", "numbers", flights_model(numeric=True), requests_per_s=0.1, burst=2)
    matrix = {"name": "input", "datatype": "FP64", "shape": [1, 3], "data": [0.5, -1.0, 0.25]}
    asked = {"rows": ROWS} if path.startswith("/predict") else {"inputs": [matrix]}
    with start_server(tmp_path / "serving") as server:
        answers = [server.http.post(path, json=asked) for _ in range(3)]
        metadata = server.http.get("/v2/models/numbers")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 10
    assert metadata.status_code == 200
