"""A canary is a row: it goes on or back by itself, through restarts, each move one commit with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.systems.serve.control import CALLER, Control, make_control
from treadle.ground.clock import system_clock
from treadle.ground.digests import of_bytes
from treadle.ground.ids import new_id
from treadle.kernel.catalog import EvidenceRows
from treadle.kernel.governance import Caller
from treadle.loops.rollout import Canaries, CanaryNamed, CanaryPolicy, StartCanary, StopCanary
from treadle.loops.rollout.errors import BadCanary, CanaryNotFound, CanaryUnderWay
from treadle.systems.serve import DeployEndpoint, EndpointNamed, SplitTraffic
from treadle.systems.train import Models, Registration
from treadle.systems.train.registry.service import PromoteModel, RegisterModel, VersionNamed

POLICY = CanaryPolicy(steps=(0.2, 0.5), min_calls=50, step_s=60, max_s=10_000, max_error_increase=0.05)
NAME = CanaryNamed(endpoint="numbers")


@dataclass
class Scene:
    """What has landed: calls of both revisions, a second apart; a rate of failures for the canary."""

    rows_of: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"predictions": [], "failures": []})

    def serve(self, start: datetime, n: int, share: float, *, failing: float = 0.0, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        for at in range(n):
            revision = 2 if rng.random() < share else 1
            failed = revision == 2 and rng.random() < failing
            row = {
                "prediction_id": f"pred_{start}_{at}",
                "call_id": f"call_{start}_{at}",
                "recorded_at": start + timedelta(seconds=1 + at / 10),
                "revision": revision,
                "entity": None,
                "latency_us": 800,
                "output": float(rng.beta(1, 6)),
                "is_shadow": False,
            }
            self.rows_of["failures" if failed else "predictions"].append(row)

    def rows(self, project: str, endpoint: str, kind: str, since: datetime, until: datetime) -> pl.DataFrame:
        rows = pl.DataFrame(self.rows_of.get(kind, []), schema_overrides={"entity": pl.String})
        return rows if rows.is_empty() else rows.filter(pl.col("recorded_at").is_between(since, until, closed="left"))

    def outcomes(self, project: str, endpoint: str, asked: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(schema={"prediction": pl.String, "truth": pl.Float64, "known_at": pl.Datetime("us", "UTC")})


@dataclass
class House:
    control: Control
    models: Models
    evidence: EvidenceRows
    scene: Scene = field(default_factory=Scene)
    now: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 12, tzinfo=UTC))

    def canaries(self) -> Canaries:
        """A new one each time, as after a restart."""
        control = self.control
        return Canaries(
            control.store,
            control.endpoints,
            self.models,
            self.evidence,
            control.events,
            self.scene,  # type: ignore[arg-type]
            lambda: self.now,
            new_id,
        )

    def start(self, **given: Any) -> Any:
        request = {"policy": POLICY, **given}
        return self.canaries().start(
            CALLER, StartCanary(endpoint="numbers", model="late-arrival", version="2", **request)
        )

    def serve(self, n: int, share: float, **given: Any) -> None:
        """Calls for so many tenths of a second, which have settled when this returns."""
        self.scene.serve(self.now, n, share, **given)
        self.now += timedelta(seconds=1 + n / 10 + 60)

    def tick(self) -> list[str]:
        return [one.state for one in self.canaries().tick(CALLER)]

    def weights(self) -> dict[str, float]:
        return dict(self.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).endpoint.route.weights)

    def champion(self) -> int | None:
        with self.control.store.read() as reader:
            return self.models.holder(reader, "default", "late-arrival", "champion")


@pytest.fixture
def house(tmp_path: Path) -> House:
    control = make_control(tmp_path)
    evidence = EvidenceRows(control.events, system_clock, new_id)
    models = Models(control.store, control.refs, evidence, control.events, system_clock)
    for n in range(2):
        registration = Registration(model="late-arrival", digest=of_bytes(b"%d" % n), signature={})
        models.register(CALLER, RegisterModel(registration=registration))
    control.endpoints.deploy(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="1"))
    models.promote(CALLER, PromoteModel(model="late-arrival", version=1, alias="champion", reason="first"))
    return House(control, models, evidence)


def test_a_good_canary_comes_through_by_itself_and_gets_its_alias(house: House) -> None:
    house.start(promote="champion")
    assert house.weights() == pytest.approx({"1": 0.8, "2": 0.2})

    assert house.tick() == []
    house.serve(600, 0.2)
    assert house.tick() == ["running"]
    assert house.weights() == pytest.approx({"1": 0.5, "2": 0.5})
    house.serve(1500, 0.5, seed=2)
    assert house.tick() == ["promoted"]

    assert house.weights() == {"2": 1.0}
    assert house.champion() == 2
    kinds = [kind for kind in house.control.kinds() if kind.startswith("canary.")]
    assert kinds == ["canary.started", "canary.advanced", "canary.promoted"]
    with house.control.store.read() as reader:
        found = house.evidence.about(reader, "default", "model/late-arrival/2")
    assert [(one.kind, one.verdict, one.body["act"]) for one in found] == [
        ("canary", "passed", "advance"),
        ("canary", "passed", "promote"),
    ]
    routes = house.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).routes
    assert [route.kind for route in routes] == ["deploy", "canary", "canary", "canary"]


def test_a_canary_that_fails_goes_back_to_what_served_before(house: House) -> None:
    house.control.registry.add(house.control.registry.models["1"])
    house.start(promote="champion")
    house.serve(600, 0.2, failing=0.5)

    assert house.tick() == ["rolled back"]

    assert house.weights() == {"1": 1.0}
    assert house.champion() == 1
    sheet = house.canaries().get(CALLER, NAME)
    assert sheet.canary.reason.startswith("Rolled back: errors 0.")
    assert next(signal for signal in sheet.signals if signal.name == "errors").standing == "worse"
    with house.control.store.read() as reader:
        found = house.evidence.about(reader, "default", "model/late-arrival/2")
    assert [(one.kind, one.verdict) for one in found] == [("canary", "failed")]
    assert house.tick() == []


def test_a_persons_hand_goes_before_it(house: House) -> None:
    house.start()
    house.control.traffic.split(CALLER, SplitTraffic(endpoint="numbers", weights={"1": 0.9, "2": 0.1}))
    house.serve(600, 0.2, failing=0.9)

    assert house.tick() == ["superseded"]

    assert house.weights() == {"1": 0.9, "2": 0.1}
    assert house.control.kinds()[-1] == "canary.superseded"


def test_an_alias_that_wants_approvals_keeps_it_waiting_and_then_it_goes_on(house: House) -> None:
    with house.control.store.read() as reader:
        name = house.models.lookup.line(reader, "default", "late-arrival").alias_ref("champion")
    house.control.store.write(lambda tx: house.control.refs.protect(tx, "default", name, {"approvals": 1}, actor="ada"))
    house.start(promote="champion", policy=CanaryPolicy(steps=(0.5,), min_calls=50, step_s=0, max_error_increase=0.05))
    house.serve(1500, 0.5)
    assert house.tick() == ["waiting"]
    assert house.weights() == {"1": 0.5, "2": 0.5}
    assert house.tick() == []

    version = house.models.get(CALLER, VersionNamed(model="late-arrival", version="2")).version
    house.control.store.write(
        lambda tx: house.evidence.add(
            tx, "default", subject=version.subject, kind="approval", verdict="passed", body={}, actor="bob",
            digest=version.digest,
        )
    )  # fmt: skip
    assert house.tick() == ["promoted"]
    assert (house.weights(), house.champion()) == ({"2": 1.0}, 2)


def test_of_two_lookers_one_moves_it(house: House) -> None:
    house.start()
    house.serve(600, 0.2)
    first, second = house.canaries(), house.canaries()
    seen = second._rows
    with house.control.store.read() as reader:
        stale = seen.under_way(reader, "default")[0]
    first.tick(CALLER)
    routes = len(house.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).routes)

    after = second._act(CALLER, stale, _advance(), 100, [])

    assert after.step == 1
    assert len(house.control.endpoints.get(CALLER, EndpointNamed(endpoint="numbers")).routes) == routes


def _advance() -> Any:
    from treadle.loops.rollout.judging import Opinion

    return Opinion("advance", "again")


def test_stopping_it_by_hand_rolls_it_back_once(house: House) -> None:
    house.start()

    stopped = house.canaries().stop(CALLER, StopCanary(endpoint="numbers", reason="too hot"))
    again = house.canaries().stop(CALLER, StopCanary(endpoint="numbers"))

    assert (stopped.state, stopped.reason, again) == ("rolled back", "too hot", stopped)
    assert house.weights() == {"1": 1.0}


def test_an_endpoint_has_one_canary_and_it_is_no_revision_that_answers(house: House) -> None:
    house.start()
    with pytest.raises(CanaryUnderWay, match="has a canary already"):
        house.start()
    house.canaries().stop(CALLER, StopCanary(endpoint="numbers"))
    with pytest.raises(BadCanary, match="answers already"):
        house.canaries().start(CALLER, StartCanary(endpoint="numbers", model="late-arrival", version="1"))
    with pytest.raises(CanaryNotFound, match="never had a canary"):
        house.canaries().get(CALLER, CanaryNamed(endpoint="letters"))


@pytest.mark.parametrize("steps", [(), (0.5, 0.2), (0.0, 0.5), (0.5, 1.0)])
def test_steps_that_are_no_way_into_traffic_are_refused(house: House, steps: tuple[float, ...]) -> None:
    with pytest.raises(BadCanary, match="no way into traffic"):
        house.start(policy=CanaryPolicy(steps=steps))


def test_starting_one_needs_the_permission(house: House) -> None:
    from treadle.kernel.governance.callers import PermissionDenied

    reader = Caller(project="default", actor="eve", permissions=frozenset({"endpoint.read"}))
    with pytest.raises(PermissionDenied):
        house.canaries().start(reader, StartCanary(endpoint="numbers", model="late-arrival"))
