"""A release is a row: gates, shadow, canary, alias. Killed anywhere, it is taken up where it was, and promotes once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.loops.rollout.test_canaries import POLICY, House
from tests.loops.rollout.test_canaries import house as house
from tests.systems.serve.control import CALLER
from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.loops.rollout import Shadows
from treadle.loops.rollout.releasing import (
    BadRelease,
    BeginRelease,
    ReleaseNamed,
    ReleaseNotFound,
    ReleasePolicy,
    Releases,
    ReleaseUnderWay,
    ShadowPolicy,
)
from treadle.loops.rollout.service import StartCanary
from treadle.systems.serve import EndpointNamed
from treadle.systems.train.registry.service import VersionNamed

SHADOW = ShadowPolicy(min_rows=20, min_s=60, max_s=1000)


class Killed(BaseException):
    """A kill: nothing of the process goes on after it."""


def releases(house: House) -> Releases:
    """A new one each time, as after a restart."""
    control = house.control
    shadows = Shadows(control.store, control.endpoints, house.scene)  # type: ignore[arg-type]
    return Releases(
        control.store,
        control.endpoints,
        control.traffic,
        house.canaries(),
        shadows,
        house.models,
        house.evidence,
        control.events,
        lambda: house.now,
        new_id,
    )


def begin(house: House, **policy: Any) -> str:
    chosen = ReleasePolicy(**{"needs": ("gate",), "shadow": SHADOW, "canary": POLICY, **policy})
    request = BeginRelease(endpoint="numbers", model="late-arrival", version="2", policy=chosen)
    return releases(house).begin(CALLER, request).id


def judged(house: House, kind: str = "gate", verdict: str = "passed") -> None:
    version = house.models.get(CALLER, VersionNamed(model="late-arrival", version="2")).version
    house.control.store.write(
        lambda tx: house.evidence.add(
            tx, "default", subject=version.subject, kind=kind, verdict=verdict, body={}, actor="bob",
            digest=version.digest,
        )
    )  # fmt: skip


def looks_on(house: House, n: int = 30, *, apart: float = 0.0, us: int = 100) -> None:
    """Calls that version 1 answers and version 2 scores as well."""
    for at in range(n):
        name, when = f"{house.now:%H%M}{at}", house.now + timedelta(seconds=1 + at)
        row = {"entity": None, "recorded_at": when, "is_shadow": False, "latency_us": 800, "model_us": 100}
        score = {"output": 0.3, "outputs": [0.3]}
        house.scene.rows_of["predictions"].append(
            {"prediction_id": f"p{name}", "call_id": f"c{name}", "revision": 1, **row, **score}
        )
        other = {"output": 0.3 + apart, "outputs": [0.3 + apart], "model_us": us}
        copy = {"prediction_id": f"s{name}", "call_id": f"sc{name}", "shadow_of": f"p{name}", "revision": 2}
        house.scene.rows_of.setdefault("shadows", []).append({**row, **copy, **other})
    house.now += timedelta(seconds=120)


def stages(house: House) -> list[str]:
    return [one.stage for one in releases(house).tick(CALLER)]


def came_through(house: House) -> None:
    """Carries a good version through what is left, whatever stage it stands at; each look is a new process."""
    for seed in range(40):
        row = releases(house).list(CALLER)[0]
        if row.is_over:
            return
        if row.stage == "shadow":
            looks_on(house)
        if row.stage == "canary":
            house.serve(1500, 0.5, seed=seed)
            house.tick()
        releases(house).tick(CALLER)
    raise AssertionError(f"still at {row.stage}: {row.reason}")


def test_a_good_version_passes_gates_shadow_and_canary_and_gets_its_alias(house: House) -> None:
    release = begin(house)
    assert stages(house) == []
    assert "Waits for: gate" in releases(house).list(CALLER)[0].reason
    judged(house)
    assert stages(house) == ["shadow"]
    assert stages(house) == []
    assert house.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).endpoint.route.shadows
    looks_on(house)
    assert stages(house) == ["canary"]

    came_through(house)

    assert (house.weights(), house.champion()) == ({"2": 1.0}, 2)
    sheet = releases(house).get(CALLER, ReleaseNamed(release=release))
    assert [(one["stage"], one["next"], one["verdict"]) for one in sheet.decisions] == [
        ("gates", "shadow", "passed"),
        ("shadow", "canary", "passed"),
        ("canary", "promoted", "passed"),
    ]
    assert sheet.decisions[1]["found"]["rows"] == 30
    assert stages(house) == []


def test_what_a_gate_refused_goes_no_further(house: House) -> None:
    begin(house, needs=("gate", "verify"))
    judged(house)
    assert stages(house) == []
    judged(house, "verify", "failed")

    assert stages(house) == ["refused"]
    assert (house.weights(), house.champion()) == ({"1": 1.0}, 1)


@pytest.mark.parametrize(
    ("shown", "because"),
    [({"apart": 0.4}, "decides 100.0% of the rows otherwise"), ({"us": 900}, "takes 900 us where 100 us")],
    ids=["decisions", "latency"],
)
def test_a_shadow_outside_its_policy_is_refused_and_looks_on_no_longer(
    house: House, shown: dict[str, Any], because: str
) -> None:
    begin(house)
    judged(house)
    stages(house)
    stages(house)
    looks_on(house, **shown)

    assert stages(house) == ["refused"]

    assert because in releases(house).list(CALLER)[0].reason
    assert not house.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).endpoint.route.shadows
    assert house.champion() == 1


def test_a_canary_that_goes_back_ends_the_release(house: House) -> None:
    begin(house, needs=(), shadow=None)
    stages(house)
    stages(house)
    house.serve(600, 0.2, failing=0.5)
    house.tick()

    assert stages(house) == ["refused"]
    assert (house.weights(), house.champion()) == ({"1": 1.0}, 1)


def test_one_that_cannot_go_on_says_why_and_waits(house: House) -> None:
    """A canary that somebody began by hand is not the release's own."""
    house.canaries().start(CALLER, StartCanary(endpoint="numbers", model="late-arrival", version="2", policy=POLICY))
    house.now += timedelta(seconds=1)
    begin(house, needs=(), shadow=None)
    assert stages(house) == ["canary"]

    assert stages(house) == []

    row = releases(house).list(CALLER)[0]
    assert (row.stage, row.is_over) == ("canary", False)
    assert "has a canary already" in row.reason


def test_every_stage_can_be_left_out(house: House) -> None:
    begin(house, needs=(), shadow=None, canary=None)

    assert [*stages(house), *stages(house), *stages(house)] == ["promote", "deploy", "promoted"]
    assert (house.weights(), house.champion()) == ({"2": 1.0}, 2)


@pytest.mark.parametrize(
    ("stages_of", "at"),
    [*(({}, at) for at in range(1, 21)), *(({"canary": None}, at) for at in range(1, 16))],
    ids=lambda value: str(value) if isinstance(value, int) else "no canary" if value else "canary",
)
def test_killed_at_any_event_it_is_taken_up_and_promotes_once(
    house: House, monkeypatch: pytest.MonkeyPatch, stages_of: dict[str, Any], at: int
) -> None:
    """The process dies at its `at`-th event, in the middle of the commit that would have left it."""
    begin(house, **stages_of)
    judged(house)
    appended, count = EventLog.append, 0

    def dying(self: EventLog, *args: Any, **given: Any) -> str:
        nonlocal count
        count += 1
        if count == at:
            raise Killed
        return appended(self, *args, **given)

    monkeypatch.setattr(EventLog, "append", dying)
    died = False
    try:
        came_through(house)
    except Killed:
        died = True
        came_through(house)

    assert (house.weights(), house.champion()) == ({"2": 1.0}, 2)
    events = house.control.events.since("default", 0)
    assert died
    moves = [one.body for one in events if one.kind == "ref.moved" and one.subject.endswith("champion")]
    assert len(moves) == 2, "the first version's promotion, and this one's"
    ends = [one.body["stage"] for one in events if one.kind == "release.moved"]
    assert ends.count("promoted") == 1
    assert sum(one.kind == "canary.started" for one in events) == (0 if stages_of else 1)


def test_of_two_releases_of_an_endpoint_the_second_is_refused(house: House) -> None:
    begin(house)
    with pytest.raises(ReleaseUnderWay):
        begin(house)
    with pytest.raises(BadRelease):
        releases(house).begin(CALLER, BeginRelease(endpoint="numbers", model="late-arrival", version="1"))
    with pytest.raises(ReleaseNotFound):
        releases(house).get(CALLER, ReleaseNamed(release="rel_none"))


def test_of_two_lookers_one_moves_it(house: House) -> None:
    begin(house, needs=(), shadow=None, canary=None)
    one, other = releases(house), releases(house)
    with house.control.store.read() as reader:
        stale = other._under_way(reader, "default")[0]
    one.tick(CALLER)

    assert other._gates(CALLER, stale).stage == "promote"

    with house.control.store.read() as reader:
        found = house.evidence.about(reader, "default", "model/late-arrival/2")
    assert len([each for each in found if each.kind == "release"]) == 1
