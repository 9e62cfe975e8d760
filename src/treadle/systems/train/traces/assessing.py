"""The verbs of assessments: what people, judges and code say of a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from treadle.ground.clock import Clock
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.traces.assessment_rows import AssessmentRows
from treadle.systems.train.traces.errors import AssessmentNotFound, TraceInvalid, TraceNotFound
from treadle.systems.train.traces.records import Assessment
from treadle.systems.train.traces.repository import TraceRows


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAssessment:
    """An assessment of a trace; without an id it is given one. One that it overrides no longer counts."""

    assessment: Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentNamed:
    trace: str
    assessment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAssessment:
    """New values of an assessment; what is None stays. kind: of which kind `value` is; None: it stays."""

    trace: str
    assessment: str
    name: str | None = None
    kind: str | None = None
    value: Any = None
    error: dict[str, Any] | None = None
    rationale: str | None = None
    metadata: dict[str, str] | None = None


class Assessments:
    """What is said of traces."""

    def __init__(self, store: Store, clock: Clock, new_id: Callable[[], str] = lambda: f"a-{uuid4().hex}") -> None:
        self._store, self._clock, self._new_id = store, clock, new_id
        self._rows, self._traces = AssessmentRows(), TraceRows()

    @verb("assessments.create", permission="trace.write")
    def create(self, caller: Caller, request: CreateAssessment) -> Assessment:
        """The assessment as it is recorded. Raises TraceNotFound, AssessmentNotFound for one that it overrides."""
        now = self._now_ms()
        given = request.assessment
        made = replace(
            given,
            id=given.id or self._new_id(),
            created_ms=given.created_ms or now,
            updated_ms=given.updated_ms or now,
            is_valid=True,
        )

        def write(tx: Transaction) -> Assessment:
            if self._traces.lock(tx, caller.project, made.trace) is None:
                raise TraceNotFound(f"Trace with ID '{made.trace}' not found.")
            if made.overrides and not self._rows.set_validity(tx, caller.project, made.trace, made.overrides, False):
                raise _absent(made.trace, made.overrides)
            if not self._rows.insert(tx, caller.project, made):
                raise TraceInvalid(
                    f"Failed to create assessment for trace '{made.trace}' due to a constraint violation."
                )
            return made

        return self._store.write(write)

    @verb("assessments.get", permission="trace.read")
    def get(self, caller: Caller, request: AssessmentNamed) -> Assessment:
        """The assessment. Raises TraceNotFound, AssessmentNotFound."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, request.trace, request.assessment)
            has_trace = found is not None or self._traces.find(reader, caller.project, [request.trace])
        if found is not None:
            return found
        if not has_trace:
            raise TraceNotFound(f"Trace with request_id '{request.trace}' not found")
        raise _absent(request.trace, request.assessment)

    @verb("assessments.update", permission="trace.write")
    def update(self, caller: Caller, request: UpdateAssessment) -> Assessment:
        """The assessment with its new values; metadata is added to what it has. Raises AssessmentNotFound."""

        def write(tx: Transaction) -> Assessment:
            found = self._rows.find(tx, caller.project, request.trace, request.assessment)
            if found is None:
                if not self._traces.find(tx, caller.project, [request.trace]):
                    raise TraceNotFound(f"Trace with request_id '{request.trace}' not found")
                raise _absent(request.trace, request.assessment)
            if request.kind is not None and request.kind != found.kind:
                raise _wrong_kind(request.kind)
            changed = _changed(found, request, self._now_ms())
            self._rows.update(tx, caller.project, changed)
            return changed

        return self._store.write(write)

    @verb("assessments.delete", permission="trace.write")
    def delete(self, caller: Caller, request: AssessmentNamed) -> None:
        """Takes an assessment away; one that it had overridden counts again. Nothing happens when there is none."""

        def write(tx: Transaction) -> None:
            found = self._rows.find(tx, caller.project, request.trace, request.assessment)
            if found is None:
                return
            if found.overrides:
                self._rows.set_validity(tx, caller.project, request.trace, found.overrides, True)
            self._rows.delete(tx, caller.project, request.trace, request.assessment)

        self._store.write(write)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _changed(found: Assessment, request: UpdateAssessment, now_ms: int) -> Assessment:
    changed = replace(found, updated_ms=now_ms)
    if request.name is not None:
        changed.name = request.name
    if request.kind is not None:
        changed.value, changed.error = request.value, request.error
    if request.rationale is not None and found.kind != "expectation":
        changed.rationale = request.rationale
    if request.metadata:
        changed.metadata = (found.metadata or {}) | request.metadata
    return changed


def _wrong_kind(kind: str) -> TraceInvalid:
    has = "an Expectation" if kind == "feedback" else "a Feedback"
    return TraceInvalid(f"Cannot update {kind} value on {has} assessment.")


def _absent(trace: str, assessment: str) -> AssessmentNotFound:
    return AssessmentNotFound(f"Assessment with ID '{assessment}' not found for trace '{trace}'")
