"""What can be asked of traces and of evaluation datasets, in the grammar of search.

Conditions on spans that are joined by AND are met by one span together, as MLflow has it; all else holds or fails by
itself. So a filter is rewritten after it is read: what belongs to one span becomes one condition, and names that stand
for links and assessments find their tables.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from treadle.systems.train.search.compiling import Compiler
from treadle.systems.train.search.entities import Binder, Column, Entity, Joined, Keyed, Test
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.syntax import (
    Absence,
    All,
    AnyOf,
    Comparison,
    Condition,
    Field,
    Membership,
    Not,
    Text,
)
from treadle.systems.train.search.vocabulary import ATTRIBUTE, Kind, Vocabulary
from treadle.systems.train.traces.records import COST, NAME_TAG, SESSION, USAGE

_NUMBERS = ("end_time_ms", "execution_time_ms", "timestamp_ms")
_TEXTS = ("client_request_id", "name", "prompt", "request_id", "run_id", "status", "text")
_SPAN_KEYS = ("name", "type", "status", "content")
_ATTRIBUTES = "attributes."

TRACE_WORDS = Vocabulary(
    noun="trace",
    attributes={**dict.fromkeys(_NUMBERS, "number"), **dict.fromkeys(_TEXTS, "text")},
    kinds={
        "tag": Kind(),
        "request_metadata": Kind(),
        "span": Kind(has_order=False),
        "feedback": Kind(has_order=False, is_mixed=True),
        "expectation": Kind(has_order=False, is_mixed=True),
        "issue": Kind(keys={"id": "text"}, has_order=False),
    },
    spellings={
        **dict.fromkeys(("attribute", "attributes", "trace"), ATTRIBUTE),
        **dict.fromkeys(("tag", "tags"), "tag"),
        **dict.fromkeys(("request_metadata", "metadata"), "request_metadata"),
        **{word: word for word in ("span", "feedback", "expectation", "issue")},
    },
    aliases={"timestamp": "timestamp_ms", "execution_time": "execution_time_ms", "end_time": "end_time_ms"},
    orders={
        **dict.fromkeys((*_NUMBERS, "experiment_id"), "number"),
        **dict.fromkeys(("name", "request_id", "run_id", "status"), "text"),
    },
)

_SESSION_MARK = f'%"{SESSION}":%'
_OWN = "{x}.project = t.project and {x}.trace = t.trace"
_SOURCE = (
    "(select min(l.target) from trace_link l where l.project = t.project and l.trace = t.trace and l.kind = 'source')"
)
_COLUMNS = {
    "client_request_id": Column(sql="t.client_request_id", sort="text", is_optional=True),
    "end_time_ms": Column(sql="(t.start_ms + coalesce(t.duration_ms, 0))", sort="number"),
    "execution_time_ms": Column(sql="t.duration_ms", sort="number", is_optional=True),
    "experiment_id": Column(sql="t.experiment", sort="number"),
    "name": Column(sql="t.name", sort="text", is_optional=True),
    "request_id": Column(sql="t.trace", sort="text"),
    "run_id": Column(sql=_SOURCE, sort="text", is_optional=True),
    "status": Column(sql="t.status", sort="text"),
    "timestamp_ms": Column(sql="t.start_ms", sort="number"),
}
_ROW_KEYS = {("tag", NAME_TAG): "t.name", ("request_metadata", SESSION): "t.session"}
_SUMMED = {
    USAGE: "coalesce(t.input_tokens, t.output_tokens, t.total_tokens, t.cache_read_input_tokens,"
    " t.cache_creation_input_tokens, t.cache_creation_input_tokens_above_1hr)",
    COST: "coalesce(t.input_cost, t.output_cost, t.total_cost)",
}


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Tags or metadata; some of their keys are columns of the trace."""

    kind: str
    table: Keyed
    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        column = _ROW_KEYS.get((self.kind, key))
        if key in _SUMMED:
            raise SearchInvalid(f"Of the metadata '{key}' a filter can ask only whether it IS NULL or IS NOT NULL.")
        return self.table.holds(key, test, bind) if column is None else test(column)

    def absent(self, key: str, bind: Binder) -> str:
        column = _ROW_KEYS.get((self.kind, key)) or _SUMMED.get(key)
        return self.table.absent(key, bind) if column is None else f"{column} is null"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        return _ROW_KEYS.get((self.kind, key)) or self.table.scalar(key, bind, aggregate)

    def joined(self, key: str, bind: Binder) -> Joined:
        column = _ROW_KEYS.get((self.kind, key))
        if column is None:
            return self.table.joined(key, bind)
        return Joined("", column, f"case when {column} is null then 2 else 0 end")


@dataclass(frozen=True, slots=True)
class _Linked:
    """What a trace is tied to. key: the kinds of link that count, or the issue of an assessment.

    Few rows have a target, and an index leads from it to them: they are found once, not asked for at every trace.
    """

    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        if key == "issue":
            rows = f"assessment a where a.project = :project and a.kind = 'issue' and {test('a.name')}"
            return f"t.trace in (select a.trace from {rows})"
        kinds = {"run": "('source', 'run')", "prompt": "('prompt')"}[key]
        rows = f"trace_link l where l.project = :project and l.kind in {kinds} and {test('l.target')}"
        return f"t.trace in (select l.trace from {rows})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"not {self.holds(key, lambda value: f'{value} is not null', bind)}"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        raise SearchInvalid("A trace may have several of these; they can be compared, not reckoned with.")

    def joined(self, key: str, bind: Binder) -> Joined:
        raise SearchInvalid("A trace may have several of these; nothing can be ordered by them.")


@dataclass(frozen=True, slots=True)
class _Assessed:
    """Assessments that count, by name. One that says which session it is about counts for every trace of the session."""

    kind: str
    is_number: bool = False
    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        return self._exists(key, test(self._value(bind.dialect)), bind)

    def absent(self, key: str, bind: Binder) -> str:
        return f"not {self._exists(key, '1 = 1', bind)}"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        raise SearchInvalid(
            f"A trace may have several of {self.kind} '{key}'; they can be compared, not reckoned with."
        )

    def joined(self, key: str, bind: Binder) -> Joined:
        raise SearchInvalid(f"A trace may have several of {self.kind} '{key}'; nothing can be ordered by them.")

    def _exists(self, key: str, condition: str, bind: Binder) -> str:
        said = f"a.project = :project and a.kind = '{self.kind}' and a.name = {bind(key)} and a.is_valid = 1 and {condition}"
        return (
            f"(t.trace in (select a.trace from assessment a where {said})"
            " or (t.session is not null and (t.session, t.experiment) in (select u.session, u.experiment from assessment a"
            " join trace u on u.project = a.project and u.trace = a.trace and u.session is not null"
            f" where {said} and a.metadata like {bind(_SESSION_MARK)})))"
        )

    def _value(self, dialect: str) -> str:
        if self.is_number:
            return "case when a.is_number = 1 then a.number end"
        return _unquoted("a.value", dialect)


@dataclass(frozen=True, slots=True)
class _OfSpan:
    """The attributes of one span."""

    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        return f"({test(self.scalar(key, bind))})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"{self.scalar(key, bind)} is null"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        if bind.dialect == "sqlite":
            path = '$.attributes."' + key.replace('"', "") + '"'
            return _unquoted(f"json_extract(s.content, {bind(path)})", bind.dialect)
        return _unquoted(f"(cast(s.content as json) -> 'attributes' ->> {bind(key)})", bind.dialect)

    def joined(self, key: str, bind: Binder) -> Joined:
        raise SearchInvalid("Nothing can be ordered by the spans of a trace.")


_SPAN = Entity(
    vocabulary=TRACE_WORDS,
    table="span s",
    columns={
        "name": Column(sql="s.name", sort="text"),
        "type": Column(sql="s.type", sort="text", is_optional=True),
        "status": Column(sql="s.status", sort="text"),
        "content": Column(sql="s.content", sort="text"),
    },
    values={"attributes": _OfSpan()},
    ties=(("name", True),),
)


@dataclass(frozen=True, slots=True)
class _Spans:
    """One span that meets several conditions. The key says which of the groups."""

    groups: Sequence[Condition]
    has_nan: bool = False

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        condition = Compiler(_SPAN, bind).condition(self.groups[int(key)])
        return f"exists (select 1 from span s where {_OWN.format(x='s')} and {condition})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"not {self.holds(key, str, bind)}"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        raise SearchInvalid("The spans of a trace can be compared, not reckoned with.")

    def joined(self, key: str, bind: Binder) -> Joined:
        raise SearchInvalid("Nothing can be ordered by the spans of a trace.")


def among(dialect: str, value: str, name: str, texts: Sequence[str] | Sequence[int]) -> tuple[str, object]:
    """The condition that a value is one of many, and what is bound under the name in it."""
    if dialect == "sqlite":
        return f"{value} in (select value from json_each(:{name}))", json.dumps(list(texts))
    return f"{value} = any(:{name})", list(texts)


def prepared(condition: Condition | None) -> tuple[Condition | None, Entity]:
    """A condition as the tables answer it, and the entity that it is asked of. Raises SearchInvalid."""
    groups: list[Condition] = []
    rewritten = None if condition is None else _rewritten(condition, groups)
    entity = Entity(
        vocabulary=TRACE_WORDS,
        table="trace t",
        columns=_COLUMNS,
        values={
            "tag": _Pairs("tag", Keyed(table="trace_tag", owner=_OWN)),
            "request_metadata": _Pairs("request_metadata", Keyed(table="trace_metadata", owner=_OWN)),
            "spans": _Spans(tuple(groups)),
            "link": _Linked(),
            "feedback": _Assessed("feedback"),
            "expectation": _Assessed("expectation"),
            "feedback number": _Assessed("feedback", is_number=True),
            "expectation number": _Assessed("expectation", is_number=True),
        },
        ties=(("timestamp_ms", False), ("request_id", True)),
    )
    return rewritten, entity


def _rewritten(condition: Condition, groups: list[Condition]) -> Condition:
    match condition:
        case All(parts):
            of_span = [_within_span(part) for part in parts if _is_of_span(part)]
            others = [_rewritten(part, groups) for part in parts if not _is_of_span(part)]
            return All((*others, *([_group(All(tuple(of_span)), groups)] if of_span else ())))
        case AnyOf(parts):
            return AnyOf(tuple(_rewritten(part, groups) for part in parts))
        case Not(part):
            return Not(_rewritten(part, groups))
        case _ if _is_of_span(condition):
            return _group(_within_span(condition), groups)
        case Comparison(Field() as field) | Membership(Field() as field) | Absence(Field() as field):
            return replace(condition, left=_found(field))
        case _:
            return condition


def _group(condition: Condition, groups: list[Condition]) -> Condition:
    groups.append(condition)
    return Comparison(Field("spans", str(len(groups) - 1), "text"), "=", Text(""))


def _is_of_span(condition: Condition) -> bool:
    if not isinstance(condition, Comparison | Membership | Absence) or not isinstance(condition.left, Field):
        return False
    return condition.left.kind == "span" or condition.left == Field(ATTRIBUTE, "text", "text")


def _within_span(condition: Condition) -> Condition:
    assert isinstance(condition, Comparison | Membership | Absence)
    assert isinstance(condition.left, Field)
    key = "content" if condition.left.kind == ATTRIBUTE else condition.left.key
    if key.startswith(_ATTRIBUTES):
        name = key.removeprefix(_ATTRIBUTES).strip("`")
        if not name:
            raise SearchInvalid("Span attribute name cannot be empty after 'attributes.'")
        return replace(condition, left=Field("attributes", name, "text"))
    if key not in _SPAN_KEYS:
        raise SearchInvalid(
            f"Invalid span attribute '{key}'. Supported attributes: name, status, type, attributes.<attribute_name>."
        )
    return replace(condition, left=Field(ATTRIBUTE, key, "text"))


def _found(field: Field) -> Field:
    """Where a name is really kept."""
    if field.kind == ATTRIBUTE and field.key in ("run_id", "prompt"):
        return Field("link", field.key.removesuffix("_id"), "text")
    if field.kind == "request_metadata" and field.key == "mlflow.sourceRun":
        return Field("link", "run", "text")
    if field.kind == "tag" and field.key == "mlflow.linkedPrompts":
        return Field("link", "prompt", "text")
    if field.kind == "issue":
        return Field("link", "issue", "text")
    if field.kind in ("feedback", "expectation") and field.sort == "number":
        return replace(field, kind=f"{field.kind} number")
    return field


def _unquoted(value: str, dialect: str) -> str:
    """JSON text as the text that it holds; what is no text stays as it is written."""
    if dialect == "sqlite":
        return f"case when substr({value}, 1, 1) = '\"' then json_extract({value}, '$') else {value} end"
    return f"case when left({value}, 1) = '\"' then cast({value} as json) #>> '{{}}' else {value} end"


DATASETS = Entity(
    vocabulary=Vocabulary(
        noun="evaluation_dataset",
        attributes={
            **dict.fromkeys(("name", "created_by", "last_updated_by"), "text"),
            **dict.fromkeys(("created_time", "last_update_time"), "number"),
        },
        kinds={"tag": Kind(has_order=False)},
        spellings={"tags": "tag", "tag": "tag", "attribute": ATTRIBUTE, "attributes": ATTRIBUTE},
        orders={"name": "text", "created_time": "number", "last_update_time": "number", "dataset_id": "text"},
    ),
    table="evaluation_dataset d",
    columns={
        "name": Column(sql="d.name", sort="text"),
        "created_by": Column(sql="d.created_by", sort="text", is_optional=True),
        "last_updated_by": Column(sql="d.updated_by", sort="text", is_optional=True),
        "created_time": Column(sql="d.created_ms", sort="number"),
        "last_update_time": Column(sql="d.updated_ms", sort="number"),
        "dataset_id": Column(sql="d.dataset", sort="text"),
    },
    values={"tag": Keyed(table="evaluation_dataset_tag", owner="{x}.project = d.project and {x}.dataset = d.dataset")},
    ties=(("dataset_id", False),),
    default=("created_time DESC",),
)
