"""What watches endpoints when nobody has said how: a monitor with sane defaults, held against what the model learned from.

A version that was registered with a reference (`td.register(reference=…)`) is enough: the endpoint that serves it is
watched day by day, with one false alarm a quarter, five minutes after it was deployed; whoever calls `td.watch` in the
meantime has said how, and nothing is begun. When another version takes most of the traffic, its windows are held against
its own reference from then on. Every look judges what has ended, and what late truth has completed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from treadle.ground.clock import Clock
from treadle.kernel.governance import Caller
from treadle.systems.monitor import MonitorService
from treadle.systems.monitor.records import Evaluation
from treadle.systems.monitor.requests import CheckMonitor, CreateMonitor, RebaseMonitor, ShowMonitor
from treadle.systems.serve.records import Endpoint, Revision
from treadle.systems.serve.service import Endpoints
from treadle.systems.train.registry.service import Models, VersionNamed

PATIENCE = timedelta(minutes=5)
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Looked:
    """The monitors that a look began, those that it held against another reference, and the windows that it judged."""

    begun: list[str] = field(default_factory=list)
    rebased: list[str] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)


class Watching:
    """`look` is called again and again by a loop; nothing is begun or judged twice."""

    def __init__(
        self, monitors: MonitorService, endpoints: Endpoints, models: Models, caller: Caller, clock: Clock
    ) -> None:
        self._monitors, self._endpoints, self._models = monitors, endpoints, models
        self._caller, self._clock = caller, clock

    def look(self) -> Looked:
        """Begins what is missing, follows the endpoints' models, and judges what is due."""
        looked = Looked()
        names = {monitor.name: monitor for monitor in self._monitors.list(self._caller)}
        watched = {monitor.endpoint for monitor in names.values()}
        for endpoint in self._endpoints.list(self._caller):
            if endpoint.name not in watched:
                self._begin(endpoint, looked)
            elif endpoint.name in names:
                self._follow(endpoint, looked)
        for name in sorted([*names, *looked.begun]):
            looked.evaluations.extend(self._monitors.check(self._caller, CheckMonitor(name=name)))
        return looked

    def _begin(self, endpoint: Endpoint, looked: Looked) -> None:
        revision = leading(endpoint)
        if revision is None or self._clock() - endpoint.route.recorded_at < PATIENCE:
            return
        training, validation = self._reference(revision)
        if training is None:
            return
        request = CreateMonitor(
            name=endpoint.name,
            endpoint=endpoint.name,
            model_version=revision.model_version,
            training=training,
            validation=validation,
            window_s=DAY_S,
        )
        self._monitors.create(self._caller, request)
        looked.begun.append(endpoint.name)

    def _follow(self, endpoint: Endpoint, looked: Looked) -> None:
        revision = leading(endpoint)
        if revision is None or self._clock() - endpoint.route.recorded_at < PATIENCE:
            return
        known = self._monitors.show(self._caller, ShowMonitor(name=endpoint.name, windows=1)).references
        if revision.model_version in {one.model_version for one in known}:
            return
        training, validation = self._reference(revision)
        if training is not None:
            request = RebaseMonitor(
                name=endpoint.name, model_version=revision.model_version, training=training, validation=validation
            )
            self._monitors.rebase(self._caller, request)
            looked.rebased.append(endpoint.name)

    def _reference(self, revision: Revision) -> tuple[str | None, str | None]:
        named = VersionNamed(model=revision.model, version=revision.model_version)
        reference = self._models.get(self._caller, named).version.reference
        return reference.get("training"), reference.get("validation")


def leading(endpoint: Endpoint) -> Revision | None:
    """The revision that gets most of the traffic, or None where nothing is served."""
    by_number = {str(revision.number): revision for revision in endpoint.revisions}
    shares = sorted(endpoint.route.weights.items(), key=lambda item: (-item[1], item[0]))
    return next((by_number[number] for number, share in shares if share > 0 and number in by_number), None)
