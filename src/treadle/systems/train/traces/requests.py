"""What is asked of traces."""

from __future__ import annotations

from dataclasses import dataclass, field

from treadle.systems.train.traces.records import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTrace:
    """The client's own summary of a trace, with its tags, metadata and first assessments.

    is_final: whether it goes before what spans say that come later.
    """

    trace: Trace
    is_final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTrace:
    """How a trace that was started ended. end_ms: milliseconds since 1970 UTC."""

    trace: str
    end_ms: int
    status: str
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceNamed:
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSpans:
    """allow_partial: answer also while spans that the summary counted are still on their way."""

    trace: str
    allow_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesNamed:
    """Traces by id, in this order; those that are not there are left out. experiments: only those of these."""

    traces: list[str]
    experiments: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagTrace:
    trace: str
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntagTrace:
    trace: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTraces:
    """Traces of an experiment: either those named, or those that started until a time (at most so many, oldest first)."""

    experiment: str
    until_ms: int | None = None
    at_most: int | None = None
    traces: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTraces:
    """Ties traces to a run."""

    traces: list[str]
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPrompts:
    """Ties a trace to versions of prompts. prompts: each `name/version`."""

    trace: str
    prompts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLink:
    """What a trace belongs with. kind: `source`, `run`, `model` or `prompt`."""

    kind: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTraces:
    """experiments: whose traces; None: those of all. filter, order_by: see the reference of search.

    limit: at most so many on a page. page_token: of the page before, with the same filter and order.
    """

    experiments: list[str] | None = None
    filter: str | None = None
    order_by: list[str] = field(default_factory=list)
    limit: int = 100
    page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelateTraces:
    """How often two filters hold of the same traces. base: what all the traces in question meet."""

    experiments: list[str]
    first: str
    second: str
    base: str | None = None
