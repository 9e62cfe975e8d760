"""How spans become traces: one transaction for a request, whatever came before and in whichever order.

A trace has two origins that race: the client's own summary (`traces.start`) and its spans (`/v1/traces`). Whichever comes
first makes the row, the other adds to it. What the summary says of tokens, cost and session stands; the spans fill in
what it left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from treadle.kernel.store import Reader, Statements, Transaction
from treadle.systems.train.traces.analytics import Node, costs_of, count_or_none, finite_or_none, json_object, tokens_of
from treadle.systems.train.traces.cleaning import clean
from treadle.systems.train.traces.errors import TraceInvalid
from treadle.systems.train.traces.records import (
    COST,
    COST_COLUMNS,
    FINALIZED,
    IN_PROGRESS,
    IN_STORE,
    LOCATION_TAG,
    NAME_TAG,
    SPANS_LOCATION_TAG,
    TOKEN_COLUMNS,
    UNSPECIFIED,
    USAGE,
    USER,
    Trace,
)
from treadle.systems.train.traces.repository import TraceRows
from treadle.systems.train.traces.rules import checked_name
from treadle.systems.train.traces.spans import COST_SAID, TOKENS_SAID, Batch, resource_tags
from treadle.systems.train.tracking.errors import ExperimentNotFound, TrackingInvalid
from treadle.systems.train.tracking.rules import checked_tag, experiment_number

sql = Statements(__package__)


class Receiver:
    """Writes batches of spans."""

    def __init__(self) -> None:
        self._rows = TraceRows()

    def write(self, tx: Transaction, project: str, experiment: str, batches: list[Batch]) -> None:
        """Records the spans, and makes or completes their traces. Raises ExperimentNotFound where a new trace has none."""
        for batch in sorted(
            batches, key=lambda one: one.trace
        ):  # one order for all writers, so that none wait in a ring
            trace, is_new = self._trace_of(tx, project, experiment, batch)
            self._rows.put_spans(tx, project, trace.experiment, batch.spans)
            self._complete(tx, project, trace, batch, is_new)
            self._rows.update(tx, project, trace)
            self._rows.put_tags(tx, project, trace.id, _tags(batch))

    def _trace_of(self, tx: Transaction, project: str, experiment: str, batch: Batch) -> tuple[Trace, bool]:
        found = self._rows.lock(tx, project, batch.trace)
        if found is not None:
            return found, False
        location = self.location(tx, project, experiment, batch.trace)
        trace = Trace(
            id=batch.trace,
            experiment=experiment,
            start_ms=batch.start_ms,
            duration_ms=None if batch.end_ms is None else batch.end_ms - batch.start_ms,
            status=batch.status or IN_PROGRESS,
        )
        if self._rows.insert(tx, project, trace):
            self._rows.put_tags(tx, project, batch.trace, {LOCATION_TAG: location})
            return trace, True
        made = self._rows.lock(tx, project, batch.trace)  # another process made it meanwhile
        return (made, False) if made is not None else (trace, True)

    def location(self, reader: Reader, project: str, experiment: str, id: str, *, must_be_active: bool = False) -> str:
        """Where the artifacts of a trace lie: below its experiment, never where a client says. Raises ExperimentNotFound."""
        number = experiment_number(experiment)
        found = self._rows.experiment_of(reader, project, str(number))
        if found is None:
            raise ExperimentNotFound(f"No Experiment with id={number} exists")
        root, lifecycle = found
        if must_be_active and lifecycle != "active":
            raise TraceInvalid(f"The experiment {number} must be in the 'active' state.\nCurrent state is {lifecycle}.")
        return f"{root.rstrip('/')}/traces/{id}/artifacts"

    def _complete(self, tx: Transaction, project: str, trace: Trace, batch: Batch, is_new: bool) -> None:
        is_final = (
            (batch.tells_tokens or batch.tells_cost or batch.session is not None)
            and not is_new
            and self._rows.metadatum(tx, project, trace.id, FINALIZED) is not None
        )
        if not is_final:
            _stretch(trace, batch)
        if trace.status in (IN_PROGRESS, UNSPECIFIED) and batch.status:
            trace.status = batch.status
        trace.request_preview = batch.request_preview if trace.request_preview is None else trace.request_preview
        trace.response_preview = batch.response_preview if trace.response_preview is None else trace.response_preview
        if NAME_TAG in batch.tags:
            trace.name = checked_name(batch.tags[NAME_TAG])
        self._account(tx, project, trace, batch, is_new=is_new)
        trace.session = batch.session if trace.session is None else trace.session
        if batch.user:
            self._rows.add_metadata(tx, project, trace.id, USER, batch.user)

    def _account(self, tx: Transaction, project: str, trace: Trace, batch: Batch, *, is_new: bool) -> None:
        """Tokens and cost: those that the client's summary gave stand, others are summed over all spans so far."""

        def is_said(key: str) -> bool:
            return not is_new and self._rows.metadatum(tx, project, trace.id, key) is not None

        wants_tokens = batch.tells_tokens and not is_said(USAGE)
        wants_cost = batch.tells_cost and not is_said(COST)
        if not (wants_tokens or wants_cost):
            return
        stored = [] if is_new else list(_stored(tx, project, trace.id, {span.span for span in batch.spans}))
        if wants_tokens:
            _set(trace, tokens_of([*batch.usage, *(usage for usage, _ in stored)]), TOKEN_COLUMNS, count_or_none)
        if wants_cost:
            _set(trace, costs_of([*batch.costs, *(cost for _, cost in stored)]), COST_COLUMNS, finite_or_none)


def _stretch(trace: Trace, batch: Batch) -> None:
    """Start and end of the trace, so that the batch lies within."""
    end_ms = None if trace.duration_ms is None else trace.start_ms + trace.duration_ms
    trace.start_ms = min(trace.start_ms, batch.start_ms)
    if batch.end_ms is not None:
        end_ms = batch.end_ms if end_ms is None else max(end_ms, batch.end_ms)
        trace.duration_ms = end_ms - trace.start_ms


def _stored(tx: Transaction, project: str, id: str, without: set[str]) -> Iterator[tuple[Node, Node]]:
    for span, parent, content in tx.all(sql.accounts_of, {"project": project, "trace": id}):
        if span in without:
            continue
        attributes = json_object(content).get("attributes") or {}
        yield (
            Node(span, parent, json_object(attributes.get(TOKENS_SAID))),
            Node(span, parent, json_object(attributes.get(COST_SAID))),
        )


def _set(trace: Trace, said: dict[str, Any], names: tuple[str, ...], convert: Any) -> None:
    for name in names:
        value = convert(said.get(name))
        if value is not None:
            setattr(trace, name, value)


def _tags(batch: Batch) -> dict[str, str]:
    """The tags that spans bring: what the producer says of itself, then the user's own, which go before."""
    tags = {SPANS_LOCATION_TAG: IN_STORE}
    for key, value in (*resource_tags(batch.resource).items(), *batch.tags.items()):
        if key == NAME_TAG:
            continue
        try:
            tags[key] = checked_tag(key, clean(value))
        except TrackingInvalid:
            continue  # a tag that cannot be one must not cost the span
    return tags
