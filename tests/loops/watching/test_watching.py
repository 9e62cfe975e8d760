from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from treadle.kernel.governance import Caller
from treadle.loops.watching import Watching

NOW = datetime(2024, 5, 1, tzinfo=UTC)
ADA = Caller(project="default", actor="ada")


@dataclass
class Monitors:
    """Monitoring as far as the loop asks for it: what it was told is kept."""

    names: dict[str, list[str]] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)
    created: list[object] = field(default_factory=list)

    def list(self, caller):
        return [SimpleNamespace(name=name, endpoint=name) for name in self.names]

    def show(self, caller, request):
        return SimpleNamespace(references=[SimpleNamespace(model_version=v) for v in self.names[request.name]])

    def create(self, caller, request):
        self.created.append(request)
        self.names[request.name] = [request.model_version]

    def rebase(self, caller, request):
        self.names[request.name].append(request.model_version)

    def check(self, caller, request):
        self.checked.append(request.name)
        return []


@dataclass
class World:
    deployed_at: datetime = NOW - timedelta(minutes=6)
    weights: dict[str, float] = field(default_factory=lambda: {"1": 1.0})
    reference: dict[str, str] = field(default_factory=lambda: {"training": "sha256:t", "validation": "sha256:v"})
    monitors: Monitors = field(default_factory=Monitors)

    def look(self):
        revisions = [SimpleNamespace(number=n, model="churn", model_version=str(n + 10)) for n in (1, 2)]
        route = SimpleNamespace(recorded_at=self.deployed_at, weights=self.weights)
        endpoints = SimpleNamespace(list=lambda _: [SimpleNamespace(name="churn", route=route, revisions=revisions)])
        models = SimpleNamespace(
            get=lambda _, request: SimpleNamespace(version=SimpleNamespace(reference=self.reference))
        )
        return Watching(self.monitors, endpoints, models, ADA, lambda: NOW).look()


@pytest.fixture
def world() -> World:
    return World()


def test_a_deployed_endpoint_is_watched_by_itself_and_only_once(world):
    first, second = world.look(), world.look()

    assert (first.begun, second.begun) == (["churn"], [])
    (request,) = world.monitors.created
    assert (request.model_version, request.training, request.validation) == ("11", "sha256:t", "sha256:v")
    assert request.false_alarms_per_year == 4.0
    assert world.monitors.checked == ["churn", "churn"]


def test_whoever_says_how_to_watch_has_five_minutes_for_it(world):
    world.deployed_at = NOW - timedelta(minutes=4)

    assert world.look().begun == []


def test_a_version_without_a_reference_is_not_watched(world):
    world.reference = {}

    assert world.look().begun == []


def test_the_version_that_takes_most_of_the_traffic_gets_its_reference(world):
    world.look()
    world.weights = {"1": 0.3, "2": 0.7}

    found, again = world.look(), world.look()

    assert (found.rebased, again.rebased) == (["churn"], [])
    assert world.monitors.names["churn"] == ["11", "12"]


def test_an_endpoint_that_somebody_watches_under_another_name_is_left_alone(world):
    world.monitors.names["other"] = ["11"]
    world.monitors.list = lambda caller: [SimpleNamespace(name="other", endpoint="churn")]

    found = world.look()

    assert (found.begun, found.rebased) == ([], [])
