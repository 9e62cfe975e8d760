"""Random calls, gatherings and sortings of metrics, by two processes, against a set of points."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.systems.train.tracking.conftest import ADA, opened
from treadle.systems.train.tracking.histories import Histories
from treadle.systems.train.tracking.requests import TrackedRunNamed
from treadle.testing import embedded_store

KEYS = ("loss", "acc", "lr")
point = st.tuples(
    st.sampled_from(KEYS), st.sampled_from([None, -1.0, 0.0, 2.5, 1e300]), st.integers(-3, 6), st.integers(0, 4)
)


class MetricsMachine(RuleBasedStateMachine):
    """Two processes on one store, and what the run must hold."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.stores = [embedded_store(Path(self.folder.name)) for _ in range(2)]
        self.houses = [opened(store) for store in self.stores]
        self.run = self.houses[0].run()
        self.logged: dict[str, set[tuple[float | None, int, int]]] = {}

    @rule(writer=st.sampled_from([0, 1]), points=st.lists(point, min_size=1, max_size=6))
    def log(self, writer: int, points: list[tuple[str, float | None, int, int]]) -> None:
        self.houses[writer].log(self.run, *points)
        for key, *rest in points:
            self.logged.setdefault(key, set()).add((rest[0], rest[1], rest[2]))

    @rule(writer=st.sampled_from([0, 1]))
    def gather(self, writer: int) -> None:
        house = self.houses[writer]
        house.store.write(lambda tx: house.runs._metrics._roll(tx, "p", 1))

    @rule(writer=st.sampled_from([0, 1]))
    def sort(self, writer: int) -> None:
        store = self.stores[writer]
        store.write(lambda tx: Histories(store).put_in_order(tx, "p", 1))

    @invariant()
    def every_point_is_there_once_and_the_latest_is_the_latest(self) -> None:
        if not hasattr(self, "run"):
            return
        house = self.houses[1]
        latest = {one.key: one for one in house.runs.get(ADA, TrackedRunNamed(run=self.run)).metrics}
        assert set(latest) == set(self.logged)
        for key, points in self.logged.items():
            found = house.history(self.run, key)
            assert len(found) == len(points)
            assert set(found) == points
            step, at_ms, value = max((s, at, v or 0.0) for v, s, at in points)
            assert (latest[key].step, latest[key].at_ms, latest[key].value or 0.0) == (step, at_ms, value)

    def teardown(self) -> None:
        for store in getattr(self, "stores", []):
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestMetricsMachine = MetricsMachine.TestCase
TestMetricsMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
