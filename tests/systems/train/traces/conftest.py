"""The services of traces over a store of each kind, and spans to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.train.traces.assessing import Assessments, CreateAssessment
from treadle.systems.train.traces.evaluation import EvaluationDatasets
from treadle.systems.train.traces.records import Assessment, Trace
from treadle.systems.train.traces.requests import GetSpans, SearchTraces, StartTrace, TraceNamed
from treadle.systems.train.traces.scorers import Scorers
from treadle.systems.train.traces.service import Traces
from treadle.systems.train.traces.spans import received
from treadle.systems.train.tracking.experiments import Experiments
from treadle.wire.otlp import ResourceSpans, Span

ADA = Caller(project="p", actor="ada")
MS = 1_000_000


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def name_of(number: int) -> str:
    """The id of the trace whose spans carry this number."""
    return f"tr-{number:032x}"


def span(trace: int, number: int = 1, parent: int = 0, **said: Any) -> Span:
    """A span of a trace; a root without a parent. start_ms, end_ms: milliseconds."""
    start_ms, end_ms = said.pop("start_ms", 1000), said.pop("end_ms", 1010)
    return Span(
        trace_id=trace_id(trace),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        start_ns=start_ms * MS,
        end_ns=end_ms * MS,
        **({"name": f"step {number}"} | said),
    )


@dataclass(slots=True)
class House:
    """Everything over one store."""

    store: Store
    events: EventLog
    experiments: Experiments
    traces: Traces
    assessments: Assessments
    datasets: EvaluationDatasets
    scorers: Scorers
    purged: list[str]

    def send(self, *spans: Span, experiment: str = "0", run: str | None = None, **resource: Any) -> None:
        """One request of spans."""
        found = received([ResourceSpans(attributes=resource, spans=list(spans))])
        self.traces.receive(ADA, experiment, found, run=run)

    def start(self, number: int, experiment: str = "0", **said: Any) -> Trace:
        """The client's own summary of a trace."""
        trace = Trace(**({"id": name_of(number), "experiment": experiment, "start_ms": 1000, "status": "OK"} | said))
        return self.traces.start(ADA, StartTrace(trace=trace))

    def get(self, number: int) -> Trace:
        return self.traces.get(ADA, TraceNamed(trace=name_of(number)))

    def contents(self, number: int, *, allow_partial: bool = True) -> list[str]:
        request = GetSpans(trace=name_of(number), allow_partial=allow_partial)
        return self.traces.spans(ADA, request).spans

    def found(self, filter: str | None = None, experiments: Sequence[str] = ("0",), **asked: Any) -> list[int]:
        """The numbers of the traces that a filter finds, in order."""
        page = self.traces.search(ADA, SearchTraces(experiments=list(experiments), filter=filter, **asked))
        return [int(trace.id[3:], 16) for trace in page.traces]

    def judge(self, number: int, name: str, value: Any, **said: Any) -> Assessment:
        given = Assessment(
            **({"trace": name_of(number), "id": "", "name": name, "kind": "feedback", "value": value} | said),
            source_type="HUMAN",
        )
        return self.assessments.create(ADA, CreateAssessment(assessment=given))


def opened(store: Store) -> House:
    """The services over a store, as one process has them."""
    events = EventLog(store, system_clock, new_id)
    experiments = Experiments(store, events, system_clock)
    purged: list[str] = []
    return House(
        store=store,
        events=events,
        experiments=experiments,
        traces=Traces(store, events, experiments.begin, lambda tx, project, folder: purged.append(folder)),
        assessments=Assessments(store, system_clock),
        datasets=EvaluationDatasets(store, events, system_clock),
        scorers=Scorers(store, events, system_clock, experiments.begin),
        purged=purged,
    )


@pytest.fixture
def house(any_store: Store) -> House:
    return opened(any_store)
