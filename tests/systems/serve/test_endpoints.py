"""Endpoints: a deployment is one commit, its document follows, and the way back is one verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.systems.serve.control import CALLER, Control, make_control, servable
from tests.systems.serve.models import flights_model
from tests.systems.serve.processes import start_server
from treadle.ground.errors import NotFound
from treadle.kernel.governance import Caller
from treadle.kernel.governance.callers import PermissionDenied
from treadle.systems.serve import DeployEndpoint, EndpointNamed, RollBackEndpoint, SplitTraffic
from treadle.systems.serve.errors import (
    BadDeployment,
    DeploymentRaced,
    EndpointNotFound,
    NothingToRollBack,
    RevisionNotFound,
)
from treadle.systems.serve.runtime.documents import read_document
from treadle.systems.serve.runtime.errors import BadModel

NAME = EndpointNamed(endpoint="numbers")


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return make_control(tmp_path)


def deploy(control: Control, version: str = "1", **given: Any) -> Any:
    return control.endpoints.deploy(
        CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version=version, **given)
    )


def served(control: Control) -> dict[int, float]:
    document = read_document(control.serving / "routes", "numbers")
    return {revision.number: round(revision.weight, 9) for revision in document.revisions}


def test_a_deployment_is_a_revision_a_route_a_move_and_an_event(control: Control) -> None:
    endpoint = deploy(control, reason="first", allow_backdating=True, limits={"max_rows": 50})

    assert (endpoint.name, endpoint.route.number, endpoint.route.weights) == ("numbers", 1, {"1": 1.0})
    assert endpoint.revisions[0].model_version == "1"
    with control.store.read() as reader:
        assert control.refs.get(reader, "default", "endpoint/numbers").target == "endpoint/numbers/1"
    assert control.kinds() == ["ref.moved", "endpoint.deployed"]
    document = read_document(control.serving / "routes", "numbers")
    assert (document.allow_backdating, document.limits.max_rows) == (True, 50)
    assert control.endpoints.list(CALLER) == [endpoint]


def test_what_a_deployment_does_not_name_stays_as_it_is(control: Control) -> None:
    deploy(control, allow_backdating=True, limits={"max_rows": 50})
    route = deploy(control, "2", limits={"max_waiting": 3}).route

    assert route.allow_backdating
    assert (route.limits["max_rows"], route.limits["max_waiting"]) == (50, 3)


def test_a_share_makes_room_among_the_others(control: Control) -> None:
    control.registry.add(flights_model(numeric=True, seed=3))
    deploy(control)
    deploy(control, "2", share=0.2)
    assert served(control) == {1: 0.8, 2: 0.2}

    deploy(control, "3", share=0.5)
    assert served(control) == {1: 0.4, 2: 0.1, 3: 0.5}

    control.traffic.split(CALLER, SplitTraffic(endpoint="numbers", weights={"3": 1.0}))
    assert served(control) == {3: 1.0}
    assert control.kinds()[-1] == "endpoint.split"


def test_the_same_version_again_is_the_same_revision(control: Control) -> None:
    deploy(control)
    deploy(control, "2")
    deploy(control, "1")

    sheet = control.endpoints.get(CALLER, NAME)
    assert [revision.number for revision in sheet.revisions] == [1, 2]
    assert [list(route.weights) for route in sheet.routes] == [["1"], ["2"], ["1"]]
    assert deploy(control, "1", threads=2).revisions[0].number == 3


def test_rolling_back_walks_back_one_deployment_at_a_time(control: Control) -> None:
    deploy(control)
    deploy(control, "2")
    deploy(control, "1")

    back = control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers", reason="worse"))
    assert (back.route.number, back.route.restores, served(control)) == (4, 2, {2: 1.0})
    again = control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers"))
    assert (again.route.restores, served(control)) == (1, {1: 1.0})
    with pytest.raises(NothingToRollBack, match="no route 0"):
        control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers"))
    chosen = control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers", to=4))
    assert (chosen.route.restores, served(control)) == (2, {2: 1.0})
    assert control.kinds().count("endpoint.rolled_back") == 3
    assert control.events.verify("default").broken is None


def test_a_version_that_cannot_be_served_moves_nothing(control: Control) -> None:
    wrong = flights_model(numeric=True)
    scores = tuple((one[0] + 0.1,) for one in wrong.manifest.probe.scores)
    control.registry.get = lambda *_: servable(wrong, probe_scores=scores)  # type: ignore[method-assign]

    with pytest.raises(BadModel, match="answers otherwise"):
        deploy(control)

    assert control.kinds() == []
    assert control.endpoints.list(CALLER) == []
    assert not (control.serving / "routes").exists()


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        ({"engine": "pickle"}, "kind 'pickle' cannot be served"),
        ({"signature": {"inputs": [{"nome": "a"}], "task": "binary"}}, "missing required field"),
        ({"signature": {"inputs": [], "task": "binary"}}, "at least one input"),
        ({"probe_rows": (), "probe_scores": ()}, "has no probe"),
    ],
)
def test_a_version_without_what_serving_takes_is_refused(control: Control, replaced: dict[str, Any], says: str) -> None:
    model = servable(flights_model(numeric=True), **replaced)
    control.registry.get = lambda *_: model  # type: ignore[method-assign]

    with pytest.raises(BadDeployment) as caught:
        deploy(control)

    assert says in caught.value.what


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"endpoint": "../up"}, "cannot be the name"),
        ({"endpoint": "Numbers"}, "cannot be the name"),
        ({"share": 0}, "share of 0"),
        ({"share": 0.5}, "its first revision takes all"),
        ({"threads": 0}, "at least one thread"),
        ({"limits": {"max_row": 1}}, "no limit 'max_row'"),
        ({"limits": {"max_rows": 0}}, "limits are positive"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(control: Control, given: dict[str, Any], says: str) -> None:
    request = DeployEndpoint(**{"endpoint": "numbers", "model": "late-arrival", "version": "1", **given})

    with pytest.raises(BadDeployment, match=says):
        control.endpoints.deploy(CALLER, request)


def test_shares_and_revisions_that_are_none_are_refused(control: Control) -> None:
    deploy(control)

    with pytest.raises(BadDeployment, match="must be above 0 and add up to 1"):
        control.traffic.split(CALLER, SplitTraffic(endpoint="numbers", weights={"1": 0.5}))
    with pytest.raises(RevisionNotFound, match="no revision 7"):
        control.traffic.split(CALLER, SplitTraffic(endpoint="numbers", weights={"7": 1.0}))
    with pytest.raises(EndpointNotFound, match="no endpoint 'number'"):
        control.endpoints.get(CALLER, EndpointNamed(endpoint="number"))
    with pytest.raises(NotFound):
        deploy(control, "9")


def test_models_with_other_inputs_cannot_share_but_may_take_over(tmp_path: Path) -> None:
    control = make_control(tmp_path, flights_model(numeric=True), flights_model())
    deploy(control)

    with pytest.raises(BadDeployment, match="take different inputs"):
        deploy(control, "2", share=0.5)
    deploy(control, "2")

    assert served(control) == {2: 1.0}


def test_what_is_lost_from_the_serving_area_is_written_again(control: Control) -> None:
    deploy(control)
    deploy(control, "2", share=0.5)
    for path in sorted(control.serving.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    assert control.endpoints.reconcile("default") == ["numbers"]
    assert control.endpoints.reconcile("default") == []
    assert served(control) == {1: 0.5, 2: 0.5}


def test_a_deployment_killed_after_its_commit_is_finished_by_the_reconciler(control: Control) -> None:
    deploy(control)
    prepared = control.endpoints.prepare(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="2"))
    control.store.write(lambda tx: control.endpoints.deploy_in(tx, CALLER, prepared))
    assert served(control) == {1: 1.0}

    assert control.endpoints.reconcile("default") == ["numbers"]

    assert served(control) == {2: 1.0}


def test_a_refused_commit_leaves_nothing(control: Control) -> None:
    """A promotion and its deployment are one commit: when one fails, both do."""
    prepared = control.endpoints.prepare(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="2"))

    def work(tx: Any) -> None:
        control.endpoints.deploy_in(tx, CALLER, prepared)
        raise DeploymentRaced("somebody was quicker")

    with pytest.raises(DeploymentRaced):
        control.store.write(work)

    assert control.endpoints.list(CALLER) == []
    assert control.kinds() == []


def test_verbs_ask_for_their_permission(control: Control) -> None:
    reader = Caller(project="default", actor="eve", permissions=frozenset({"endpoint.read"}))

    assert control.endpoints.list(reader) == []
    with pytest.raises(PermissionDenied, match="may not"):
        control.endpoints.deploy(reader, DeployEndpoint(endpoint="numbers", model="late-arrival"))
    with pytest.raises(PermissionDenied):
        control.endpoints.list(Caller(project="default", actor="eve", permissions=frozenset()))


def test_clean_up_is_told_which_models_a_rollback_may_need(control: Control) -> None:
    deploy(control)
    deploy(control, "2")

    with control.store.read() as reader:
        assert list(control.endpoints.needed(reader, "default")) == sorted(
            model.manifest.model_digest for model in control.registry.models.values()
        )
        assert list(control.endpoints.needed(reader, "other")) == []


def test_a_deployment_reaches_a_running_server(control: Control) -> None:
    deploy(control)
    row = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}

    with start_server(control.serving) as server:
        assert server.http.post("/predict/numbers", json=row).json()["model_version"] == "1"
        deploy(control, "2")
        answers = (server.http.post("/predict/numbers", json=row).json()["model_version"] for _ in range(10_000))
        assert next(version for version in answers if version != "1") == "2"
        control.endpoints.rollback(CALLER, RollBackEndpoint(endpoint="numbers"))
        answers = (server.http.post("/predict/numbers", json=row).json()["model_version"] for _ in range(10_000))
        assert next(version for version in answers if version != "2") == "1"
