"""The verbs of traces: take spans in, start, look up, search, tag, tie together, delete."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.files.names import folder_of_uri
from treadle.systems.train.search.finding import Question, find_parsed
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.syntax import All, Condition
from treadle.systems.train.traces.analytics import COLUMN_METADATA, columns_of, is_account
from treadle.systems.train.traces.assessment_rows import AssessmentRows
from treadle.systems.train.traces.cleaning import clean
from treadle.systems.train.traces.correlating import Correlation, correlation, count_parsed
from treadle.systems.train.traces.errors import TraceInvalid, TraceNotFound, TraceTagNotFound
from treadle.systems.train.traces.measuring import DataPoint, MeasureTraces, measured
from treadle.systems.train.traces.receiving import Receiver
from treadle.systems.train.traces.records import (
    COLUMNS,
    FINALIZED,
    IN_PROGRESS,
    IN_STORE,
    LOCATION_TAG,
    NAME_TAG,
    SIZE_STATS,
    SPANS_LOCATION_TAG,
    Trace,
    TracePage,
    TraceWithSpans,
)
from treadle.systems.train.traces.repository import TraceRows, trace_of
from treadle.systems.train.traces.requests import (
    CorrelateTraces,
    DeleteTraces,
    EndTrace,
    GetSpans,
    LinkPrompts,
    LinkTraces,
    SearchTraces,
    StartTrace,
    TagTrace,
    TraceLink,
    TraceNamed,
    TracesNamed,
    UntagTrace,
)
from treadle.systems.train.traces.rules import check_tag_is_free, check_trace_id, checked_name
from treadle.systems.train.traces.searching import TRACE_WORDS, among, prepared
from treadle.systems.train.traces.spans import Received
from treadle.systems.train.tracking.rules import checked_tag, experiment_number

_MOST_LINKS = 100
_MOST_AT_ONCE = 50_000
_EVER_MS = 2**63 - 1
_MOST_TRACES = 2**31


class Traces:
    """What applications did.

    begin: sees to it that a project has its first experiment. purge: takes away the files of a folder for good.
    """

    def __init__(
        self,
        store: Store,
        events: EventLog,
        begin: Callable[[str], None],
        purge: Callable[[Transaction, str, str], object],
    ) -> None:
        self._store, self._events, self._begin, self._purge = store, events, begin, purge
        self._rows, self._assessments, self._receiver = TraceRows(), AssessmentRows(), Receiver()

    def receive(self, caller: Caller, experiment: str, found: Received, *, run: str | None = None) -> None:
        """Records the spans of one request, all or none; with a run, ties the finished traces to it.

        What `/v1/traces` calls; it needs `trace.write`. Raises ExperimentNotFound.
        """
        caller.require("trace.write")
        self._begin(caller.project)

        def write(tx: Transaction) -> None:
            self._receiver.write(tx, caller.project, experiment, found.batches)
            if run:
                for trace in found.finished:
                    self._rows.link(tx, caller.project, trace, "run", run)

        self._store.write(write)

    @verb("traces.start", permission="trace.write")
    def start(self, caller: Caller, request: StartTrace) -> Trace:
        """The trace as it is recorded: new, or completing one whose spans came first. Raises ExperimentNotFound."""
        given = request.trace
        check_trace_id(given.id)
        self._begin(caller.project)
        return self._store.write(lambda tx: self._start(tx, caller.project, given, is_final=request.is_final))

    def fresh_id(self) -> str:
        """32 hexadecimal digits for a trace whose client has none."""
        return uuid4().hex

    @verb("traces.end", permission="trace.write")
    def end(self, caller: Caller, request: EndTrace) -> Trace:
        """A trace that was started, with its end. Raises TraceNotFound."""

        def write(tx: Transaction) -> Trace:
            trace = self._rows.lock(tx, caller.project, request.trace)
            if trace is None:
                raise _absent(request.trace)
            trace.duration_ms, trace.status = request.end_ms - trace.start_ms, request.status
            for name, value in columns_of(request.metadata).items():
                setattr(trace, name, value)
            if NAME_TAG in request.tags:
                trace.name = checked_name(request.tags[NAME_TAG])
            self._rows.update(tx, caller.project, trace)
            self._put_pairs(tx, caller.project, trace.id, request.metadata, request.tags)
            return self._whole(tx, caller.project, trace.id)

        return self._store.write(write)

    @verb("traces.get", permission="trace.read")
    def get(self, caller: Caller, request: TraceNamed) -> Trace:
        """The trace without its spans. Raises TraceNotFound."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, [request.trace])
        if not found:
            raise _absent(request.trace)
        return found[0]

    @verb("traces.spans", permission="trace.read")
    def spans(self, caller: Caller, request: GetSpans) -> TraceWithSpans:
        """The trace with its spans. Raises TraceNotFound, also while it has not arrived whole."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, [request.trace])
            if not found:
                raise TraceNotFound(f"Trace with ID {request.trace} is not found.")
            spans = self._rows.spans(reader, caller.project, [request.trace]).get(request.trace, [])
        trace = found[0]
        if not request.allow_partial and not _is_whole(trace, spans):
            raise TraceNotFound(f"Trace with ID {request.trace} is not fully exported yet, please try again later.")
        return TraceWithSpans(trace=trace, spans=spans)

    @verb("traces.batch", permission="trace.read")
    def batch(self, caller: Caller, request: TracesNamed) -> list[Trace]:
        """The traces without their spans."""
        with self._store.read() as reader:
            return _within(self._rows.find(reader, caller.project, request.traces), request.experiments)

    @verb("traces.batch_spans", permission="trace.read")
    def batch_spans(self, caller: Caller, request: TracesNamed) -> list[TraceWithSpans]:
        """The traces that have arrived whole, with their spans."""
        with self._store.read() as reader:
            traces = _within(self._rows.find(reader, caller.project, request.traces), request.experiments)
            spans = self._rows.spans(reader, caller.project, [trace.id for trace in traces])
        whole = [TraceWithSpans(trace=trace, spans=spans.get(trace.id, [])) for trace in traces]
        return [one for one in whole if one.spans and _is_whole(one.trace, one.spans)]

    @verb("traces.search", permission="trace.read")
    def search(self, caller: Caller, request: SearchTraces) -> TracePage:
        """A page of the traces that a filter finds, newest first unless an order says otherwise. Raises SearchInvalid."""
        _check_limit(request.limit)
        condition = parse_filter(request.filter, TRACE_WORDS)
        orders = parse_orders(request.order_by, TRACE_WORDS)
        if request.experiments is not None and not request.experiments:
            return TracePage(traces=[])
        rewritten, entity = prepared(condition)
        question = replace(
            self._question(caller.project, request.experiments),
            filter=request.filter,
            order_by=request.order_by,
            limit=request.limit,
            token=request.page_token,
            seal=request.experiments,
        )
        with self._store.read() as reader:
            found = find_parsed(reader, entity, question, rewritten, orders)
            traces = [trace_of(row) for row in found.rows]
            self._rows.complete(reader, caller.project, traces)
        return TracePage(traces=traces, next_page_token=found.token)

    @verb("traces.correlate", permission="trace.read")
    def correlate(self, caller: Caller, request: CorrelateTraces) -> Correlation:
        """How often two filters hold of the same traces, by count and as pointwise mutual information."""
        first, second, base = (
            parse_filter(text, TRACE_WORDS) for text in (request.first, request.second, request.base)
        )
        question = self._question(caller.project, request.experiments)
        with self._store.read() as reader:

            def count(*parts: Condition | None) -> int:
                known = tuple(part for part in parts if part is not None)
                rewritten, entity = prepared(All(known) if known else None)
                return count_parsed(reader, entity, question, rewritten)

            return correlation(
                total=count(base), first=count(base, first), second=count(base, second), both=count(base, first, second)
            )

    @verb("traces.measure", permission="trace.read")
    def measure(self, caller: Caller, request: MeasureTraces) -> list[DataPoint]:
        """Counts, latencies, tokens, cost or feedback of many traces, in groups. Raises TraceInvalid."""
        numbers = [experiment_number(one) for one in request.experiments]
        with self._store.read() as reader:
            return measured(reader, caller.project, numbers, request)

    @verb("traces.links", permission="trace.read")
    def links(self, caller: Caller, request: TraceNamed) -> list[TraceLink]:
        """What a trace is tied to: the run that made it, runs it was linked to, its model, its prompts."""
        with self._store.read() as reader:
            found = self._rows.links(reader, caller.project, request.trace)
        return [TraceLink(kind=kind, target=target) for kind, target in found]

    @verb("traces.tag", permission="trace.write")
    def tag(self, caller: Caller, request: TagTrace) -> None:
        """Sets a tag of a trace. Raises TraceNotFound."""
        check_tag_is_free(request.key, "set")
        value = checked_tag(request.key, clean(request.value))

        def write(tx: Transaction) -> None:
            if self._rows.lock(tx, caller.project, request.trace) is None:
                raise _absent(request.trace)
            if request.key == NAME_TAG:
                self._rows.rename(tx, caller.project, request.trace, checked_name(value))
            else:
                self._rows.put_tags(tx, caller.project, request.trace, {request.key: value})

        self._store.write(write)

    @verb("traces.untag", permission="trace.write")
    def untag(self, caller: Caller, request: UntagTrace) -> None:
        """Takes a tag from a trace. Raises TraceTagNotFound."""
        check_tag_is_free(request.key, "deleted")

        def write(tx: Transaction) -> None:
            if not self._rows.drop_tag(tx, caller.project, request.trace, request.key):
                raise TraceTagNotFound(f"No trace tag with key '{request.key}' for trace with ID '{request.trace}'")

        self._store.write(write)

    @verb("traces.delete", permission="trace.delete", event="traces.deleted")
    def delete(self, caller: Caller, request: DeleteTraces) -> int:
        """How many traces were deleted, with their spans, assessments and files."""
        _check_deletion(request)
        number = experiment_number(request.experiment)

        def write(tx: Transaction) -> int:
            ids = self._rows.to_delete(
                tx,
                caller.project,
                number,
                ids=request.traces,
                until_ms=_EVER_MS if request.until_ms is None else request.until_ms,
                limit=_MOST_TRACES if request.at_most is None else request.at_most,
            )
            count = self._rows.delete(tx, caller.project, ids)
            for id in ids:
                self._purge_files(tx, caller.project, str(number), id)
            if count:
                self._events.append(
                    tx,
                    project=caller.project,
                    kind="traces.deleted",
                    subject=f"experiment/{number}",
                    actor=caller.actor,
                    body={"count": count, "traces": ids[:100]},
                )
            return count

        return self._store.write(write)

    @verb("traces.link", permission="trace.write")
    def link(self, caller: Caller, request: LinkTraces) -> None:
        """Ties traces to a run; once is enough. Raises TraceInvalid for more than a hundred."""
        if len(request.traces) > _MOST_LINKS:
            raise TraceInvalid(
                f"Cannot link more than {_MOST_LINKS} traces to a run in a single request. "
                f"Provided {len(request.traces)} traces."
            )
        self._store.write(lambda tx: self._link(tx, caller.project, request.traces, "run", request.run))

    @verb("traces.link_prompts", permission="trace.write")
    def link_prompts(self, caller: Caller, request: LinkPrompts) -> None:
        """Ties a trace to versions of prompts. Raises TraceNotFound."""

        def write(tx: Transaction) -> None:
            if request.prompts and self._rows.lock(tx, caller.project, request.trace) is None:
                raise _absent(request.trace)
            for prompt in request.prompts:
                self._rows.link(tx, caller.project, request.trace, "prompt", prompt)

        self._store.write(write)

    def folder(self, caller: Caller, trace: str) -> str | None:
        """Where the files of a trace lie; None where another store keeps them. Raises TraceNotFound."""
        found = self.get(caller, TraceNamed(trace=trace))
        with self._store.read() as reader:
            return folder_of_uri(self._receiver.location(reader, caller.project, found.experiment, trace))

    def _purge_files(self, tx: Transaction, project: str, experiment: str, id: str) -> None:
        """As the server made the location, whatever a tag may say."""
        folder = folder_of_uri(self._receiver.location(tx, project, experiment, id))
        if folder is not None:
            self._purge(tx, project, folder.removesuffix("/artifacts"))

    def _question(self, project: str, experiments: Sequence[str] | None) -> Question:
        scope, parameters = "t.project = :project", {"project": project}
        columns = [f"t.{'trace' if name == 'id' else name}" for name in COLUMNS]
        if experiments is None:
            return Question(columns=columns, scope=scope, parameters=parameters)
        numbers = [experiment_number(one) for one in experiments]
        listed, bound = among(self._store.dialect, "t.experiment", "experiments", numbers)
        if len(numbers) == 1:
            listed, bound = "t.experiment = :experiments", numbers[0]
        return Question(columns=columns, scope=f"{scope} and {listed}", parameters=parameters | {"experiments": bound})

    def _link(self, tx: Transaction, project: str, traces: Sequence[str], kind: str, target: str) -> None:
        for trace in dict.fromkeys(traces):
            self._rows.link(tx, project, trace, kind, target)

    def _start(self, tx: Transaction, project: str, given: Trace, *, is_final: bool) -> Trace:
        location = self._receiver.location(tx, project, given.experiment, given.id, must_be_active=True)
        columns = columns_of(given.metadata)
        name = checked_name(given.tags.get(NAME_TAG))
        trace = _row_of(given, name, columns)
        if not self._rows.insert(tx, project, trace):
            self._merge(tx, project, given, name, columns)
        marks = {FINALIZED: "true"} if is_final else {}
        self._put_pairs(tx, project, given.id, given.metadata | marks, given.tags | {LOCATION_TAG: location})
        for assessment in given.assessments:
            made_ms = assessment.created_ms or given.start_ms
            id = assessment.id or f"a-{uuid4().hex}"
            whole = replace(assessment, trace=given.id, id=id, created_ms=made_ms, is_valid=True)
            self._assessments.insert(tx, project, replace(whole, updated_ms=assessment.updated_ms or made_ms))
        return self._whole(tx, project, given.id)

    def _merge(self, tx: Transaction, project: str, given: Trace, name: str | None, columns: dict[str, Any]) -> None:
        """Its spans came first: the client's summary goes before what they said."""
        trace = self._rows.lock(tx, project, given.id)
        if trace is None:
            raise TraceNotFound(f"Trace with ID '{given.id}' no longer exists.")
        summary = _row_of(given, name, columns)
        for field_name in ("experiment", "start_ms", "duration_ms", "status", "client_request_id", *columns):
            setattr(trace, field_name, getattr(summary, field_name))
        if NAME_TAG in given.tags:
            trace.name = name
        trace.request_preview = summary.request_preview or trace.request_preview
        trace.response_preview = summary.response_preview or trace.response_preview
        self._rows.update(tx, project, trace)
        self._rows.move_spans(tx, project, trace.id, trace.experiment)

    def _put_pairs(
        self, tx: Transaction, project: str, id: str, metadata: dict[str, str], tags: dict[str, str]
    ) -> None:
        kept = {key: value for key, value in metadata.items() if key not in COLUMN_METADATA or is_account(key, value)}
        self._rows.put_metadata(tx, project, id, kept)
        self._rows.put_tags(tx, project, id, {key: value for key, value in tags.items() if key != NAME_TAG})

    def _whole(self, tx: Transaction, project: str, id: str) -> Trace:
        return self._rows.find(tx, project, [id])[0]


def _row_of(given: Trace, name: str | None, columns: dict[str, Any]) -> Trace:
    return Trace(
        id=given.id,
        experiment=str(experiment_number(given.experiment)),
        start_ms=given.start_ms,
        duration_ms=given.duration_ms,
        status=given.status or IN_PROGRESS,
        name=name,
        client_request_id=given.client_request_id,
        request_preview=given.request_preview,
        response_preview=given.response_preview,
        **columns,
    )


def _is_whole(trace: Trace, spans: Sequence[str]) -> bool:
    """Whether as many spans have come as the client's summary counted."""
    if trace.tags.get(SPANS_LOCATION_TAG) != IN_STORE:
        return False
    try:
        expected = int(json.loads(trace.metadata[SIZE_STATS])["num_spans"])
    except (KeyError, TypeError, ValueError):
        return bool(spans)
    return len(spans) >= expected


def _within(traces: list[Trace], experiments: list[str] | None) -> list[Trace]:
    if experiments is None:
        return traces
    wanted = {str(experiment_number(one)) for one in experiments}
    return [trace for trace in traces if trace.experiment in wanted]


def _check_deletion(request: DeleteTraces) -> None:
    if request.until_ms is None and not request.traces:
        raise TraceInvalid("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if request.until_ms is not None and request.traces:
        raise TraceInvalid("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
    if request.traces and request.at_most is not None:
        raise TraceInvalid("`max_traces` can't be specified if `trace_ids` is specified.")
    if request.at_most is not None and request.at_most <= 0:
        raise TraceInvalid(f"`max_traces` must be a positive integer, received {request.at_most}.")


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise TraceInvalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer")
    if limit > _MOST_AT_ONCE:
        raise TraceInvalid(
            f"Invalid value {limit} for parameter 'max_results' supplied. It must be at most {_MOST_AT_ONCE}"
        )


def _absent(trace: str) -> TraceNotFound:
    return TraceNotFound(f"Trace with ID '{trace}' not found.")
