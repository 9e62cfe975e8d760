"""What a filter finds is what a plain reading of it finds; pages hold still; spans answer together."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.systems.train.traces.conftest import ADA, House, name_of, span
from treadle.ground.errors import InvalidInput
from treadle.systems.train.traces.assessing import AssessmentNamed
from treadle.systems.train.traces.errors import TraceInvalid
from treadle.systems.train.traces.requests import (
    CorrelateTraces,
    DeleteTraces,
    LinkPrompts,
    LinkTraces,
    SearchTraces,
    TagTrace,
)
from treadle.systems.train.tracking.experiments import CreateExperiment


@dataclass
class Made:
    """A trace as it was written, and so as a plain reading knows it."""

    number: int
    start_ms: int
    duration_ms: int
    status: str
    name: str
    tags: dict[str, str]
    metadata: dict[str, str]
    spans: list[dict[str, Any]]
    feedback: dict[str, Any] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)


def filled(house: House, count: int, seed: int = 3) -> list[Made]:
    """Random traces, written in a random order of summary and spans."""
    rng = random.Random(seed)
    made = [_make(rng, number) for number in range(1, count + 1)]
    for trace in made:
        parts = [lambda trace=trace: _start(house, trace), lambda trace=trace: _send(house, trace)]
        rng.shuffle(parts)
        for part in parts:
            part()
        for name, value in trace.feedback.items():
            house.judge(trace.number, name, value)
        for run in trace.runs - {trace.metadata.get("mlflow.sourceRun")}:
            house.traces.link(ADA, LinkTraces(traces=[name_of(trace.number)], run=run))
    return made


def _make(rng: random.Random, number: int) -> Made:
    source = rng.choice(["r1", "r2", None])
    runs = {run for run in (source, rng.choice(["r3", None])) if run}
    return Made(
        number=number,
        start_ms=1000 + rng.randrange(20),
        duration_ms=rng.randrange(5) * 10,
        status=rng.choice(["OK", "ERROR"]),
        name=rng.choice(["ask", "Ask", "plan"]),
        tags={"team": rng.choice(["a", "b", "A%"])} if rng.random() < 0.7 else {},
        metadata={"m": rng.choice("xyz"), **({"mlflow.sourceRun": source} if source else {})},
        spans=[
            {
                "name": rng.choice(["root", "llm", "tool"]),
                "status_code": rng.choice([1, 2]),
                "attributes": {"model": rng.choice(["tiny", 'a "quoted" one', "5"]), "n": rng.randrange(3)},
            }
            for _ in range(rng.randrange(1, 4))
        ],
        feedback={
            name: rng.choice([True, False, "yes", 0.5, 2.0, {"a": 1}]) for name in ("ok", "score") if rng.random() < 0.6
        },
        runs=runs,
    )


def _start(house: House, made: Made) -> None:
    tags = {"mlflow.traceName": made.name, **made.tags}
    house.start(
        made.number, start_ms=made.start_ms, duration_ms=made.duration_ms, status=made.status, tags=tags,
        metadata=dict(made.metadata),
    )  # fmt: skip


def _send(house: House, made: Made) -> None:
    end_ms = made.start_ms + made.duration_ms
    spans = [
        span(made.number, number, number - 1, start_ms=made.start_ms, end_ms=end_ms, **said)
        for number, said in enumerate(made.spans, 1)
    ]
    house.send(*spans)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> float | None:
    return value if isinstance(value, float) else None


CLAIMS: list[tuple[str, Callable[[Made], bool]]] = [
    ("status = 'OK'", lambda t: t.status == "OK"),
    ("status IN ('ERROR', 'IN_PROGRESS')", lambda t: t.status == "ERROR"),
    ("name = 'ask'", lambda t: t.name == "ask"),
    ("name ILIKE 'ASK'", lambda t: t.name.lower() == "ask"),
    ("name LIKE 'A%'", lambda t: t.name == "Ask"),
    ("name RLIKE '^[ap]'", lambda t: t.name in ("ask", "plan")),
    ("tags.`mlflow.traceName` != 'ask'", lambda t: t.name != "ask"),
    ("timestamp_ms >= 1010", lambda t: t.start_ms >= 1010),
    ("timestamp BETWEEN 1005 AND 1010", lambda t: 1005 <= t.start_ms <= 1010),
    ("execution_time < 20", lambda t: t.duration_ms < 20),
    ("end_time > 1020", lambda t: t.start_ms + t.duration_ms > 1020),
    ("tags.team = 'a'", lambda t: t.tags.get("team") == "a"),
    ("tag.team != 'a'", lambda t: t.tags.get("team", "a") != "a"),
    ("tags.team IS NULL", lambda t: "team" not in t.tags),
    ("tags.team LIKE 'A!%'", lambda t: False),
    ("metadata.m IN ('x', 'y')", lambda t: t.metadata["m"] in "xy"),
    ("request_metadata.m != 'x'", lambda t: t.metadata["m"] != "x"),
    ("run_id = 'r1'", lambda t: "r1" in t.runs),
    ("run_id = 'r3'", lambda t: "r3" in t.runs),
    ("metadata.`mlflow.sourceRun` = 'r2'", lambda t: "r2" in t.runs),
    ("span.name = 'llm'", lambda t: any(s["name"] == "llm" for s in t.spans)),
    ("span.status = 'ERROR'", lambda t: any(s["status_code"] == 2 for s in t.spans)),
    (
        "span.name = 'llm' AND span.status = 'ERROR'",
        lambda t: any(s["name"] == "llm" and s["status_code"] == 2 for s in t.spans),
    ),
    ("NOT span.name = 'llm'", lambda t: all(s["name"] != "llm" for s in t.spans)),
    ("span.attributes.model = 'tiny'", lambda t: any(s["attributes"]["model"] == "tiny" for s in t.spans)),
    (
        "span.attributes.model LIKE '%\"quoted\"%'",
        lambda t: any("quoted" in s["attributes"]["model"] for s in t.spans),
    ),
    ("span.attributes.n = '2'", lambda t: any(s["attributes"]["n"] == 2 for s in t.spans)),
    ("span.content LIKE '%tiny%'", lambda t: any(s["attributes"]["model"] == "tiny" for s in t.spans)),
    ("text ILIKE '%TINY%'", lambda t: any(s["attributes"]["model"] == "tiny" for s in t.spans)),
    ("feedback.ok = 'true'", lambda t: _plain(t.feedback.get("ok", "")) == "true"),
    ("feedback.ok = 'yes'", lambda t: t.feedback.get("ok") == "yes"),
    ("feedback.ok != 'yes'", lambda t: t.feedback.get("ok", "yes") != "yes"),
    ("feedback.score > 0.5", lambda t: (_number(t.feedback.get("score")) or 0) > 0.5),
    ("feedback.score <= 0.5", lambda t: (_number(t.feedback.get("score")) or 9) <= 0.5),
    ("feedback.score = 2", lambda t: _number(t.feedback.get("score")) == 2),
    ("feedback.ok IS NULL", lambda t: "ok" not in t.feedback),
    ("feedback.ok IS NOT NULL", lambda t: "ok" in t.feedback),
    ("expectation.ok IS NOT NULL", lambda t: False),
]


def test_a_filter_finds_what_a_plain_reading_of_it_finds(house: House):
    made = filled(house, 60)

    for text, holds in CLAIMS:
        assert sorted(house.found(text, limit=500)) == [t.number for t in made if holds(t)], text


def test_filters_joined_find_what_their_parts_say(house: House):
    made, rng = filled(house, 40), random.Random(5)

    for _ in range(60):
        (one, holds_one), (two, holds_two) = rng.sample([c for c in CLAIMS if not c[0].startswith("span")], 2)
        both = {t.number for t in made if holds_one(t) and holds_two(t)}
        either = {t.number for t in made if holds_one(t) or holds_two(t)}
        assert set(house.found(f"{one} AND {two}", limit=500)) == both, (one, two)
        assert set(house.found(f"({one}) OR ({two})", limit=500)) == either, (one, two)
        assert set(house.found(f"NOT ({one})", limit=500)) == {t.number for t in made if not holds_one(t)}, one


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ([], lambda t: (-t.start_ms, t.number)),
        (["timestamp ASC"], lambda t: (t.start_ms, t.number)),
        (["execution_time_ms DESC", "name ASC"], lambda t: (-t.duration_ms, t.name, -t.start_ms, t.number)),
        (["status", "timestamp_ms DESC"], lambda t: (t.status, -t.start_ms, t.number)),
        (["tags.team DESC"], None),
        (["run_id"], None),
        (["end_time"], lambda t: (t.start_ms + t.duration_ms, -t.start_ms, t.number)),
    ],
)
def test_pages_together_are_the_whole_in_order(house: House, order: list[str], key: Any):
    made = filled(house, 30)
    numbers: list[int] = []
    token = None
    while True:
        page = house.traces.search(ADA, SearchTraces(experiments=["0"], order_by=order, limit=7, page_token=token))
        numbers += [int(trace.id[3:], 16) for trace in page.traces]
        token = page.next_page_token
        if token is None:
            break
        house.send(span(1000 + len(numbers), start_ms=10_000))  # newer ones come meanwhile

    old = [number for number in numbers if number < 1000]
    assert sorted(old) == [t.number for t in made]
    if key is not None:
        assert old == [t.number for t in sorted(made, key=key)]


def test_traces_of_other_experiments_and_projects_stay_out(house: House):
    other = str(house.experiments.create(ADA, CreateExperiment(name="other")).number)
    house.send(span(1))
    house.send(span(2), experiment=other)

    assert house.found() == [1]
    assert house.found(experiments=[other]) == [2]
    assert sorted(house.found(experiments=["0", other])) == [1, 2]
    assert house.found(experiments=[]) == []


def test_feedback_on_a_session_counts_for_all_of_its_traces(house: House):
    for number in (1, 2):
        house.start(number, metadata={"mlflow.trace.session": "s"})
    house.start(3)

    house.judge(1, "tone", "yes", metadata={"mlflow.trace.session": "s"})
    house.judge(3, "mood", "yes")

    assert sorted(house.found("feedback.tone = 'yes'")) == [1, 2]
    assert house.found("feedback.tone IS NULL") == [3]
    assert house.found("metadata.`mlflow.trace.session` = 's' AND feedback.mood IS NULL") != []


def test_an_overridden_assessment_is_not_found(house: House):
    house.start(1)
    first = house.judge(1, "ok", True)
    second = house.judge(1, "ok", False, overrides=first.id)
    assert house.found("feedback.ok = 'true'") == []

    house.assessments.delete(ADA, AssessmentNamed(trace=name_of(1), assessment=second.id))

    assert house.found("feedback.ok = 'true'") == [1]


def test_prompts_lead_to_their_traces(house: House):
    house.start(1)
    house.traces.link_prompts(ADA, LinkPrompts(trace=name_of(1), prompts=["hello/2"]))

    assert house.found("prompt = 'hello/2'") == [1]
    assert house.found("prompt = 'hello/1'") == []


@pytest.mark.parametrize(
    "bad",
    ["nothing = 'x'", "name > 'x'", "status = 5", "span.colour = 'x'", "span.attributes. = 'x'", "metadata = 'x'",
     "feedback.x > 'high'", "name = 'x' AND", "timestamp = 'x'", "name RLIKE '('",
     "metadata.`mlflow.trace.tokenUsage` = '{}'"],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused(house: House, bad: str):
    if bad == "name = 'x' AND":  # one AND too many is no error, as in MLflow
        assert house.found(bad) == []
        return
    with pytest.raises(InvalidInput):
        house.found(bad)


def test_a_page_has_at_least_one_trace(house: House):
    with pytest.raises(TraceInvalid, match="positive integer"):
        house.found(limit=0)


def test_how_often_filters_agree_is_counted(house: House):
    made = filled(house, 40)
    ask = CorrelateTraces(
        experiments=["0"], first="status = 'ERROR'", second="span.status = 'ERROR'", base="name != 'plan'"
    )

    found = house.traces.correlate(ADA, ask)

    base = [t for t in made if t.name != "plan"]
    assert found.total_count == len(base)
    assert found.joint_count == sum(t.status == "ERROR" and any(s["status_code"] == 2 for s in t.spans) for t in base)
    assert found.npmi is not None
    assert -1 <= found.npmi <= 1


def test_deleting_takes_the_oldest_first_and_all_that_hangs_on_them(house: House):
    made = filled(house, 10)
    oldest = [t.number for t in sorted(made, key=lambda t: (t.start_ms, name_of(t.number)))]

    assert house.traces.delete(ADA, DeleteTraces(experiment="0", until_ms=2**53, at_most=3)) == 3

    assert sorted(house.found(limit=100)) == sorted(oldest[3:])
    assert house.traces.delete(ADA, DeleteTraces(experiment="0", traces=[name_of(oldest[3]), "tr-none"])) == 1
    with house.store.read() as reader:
        for table in ("span", "trace_tag", "trace_metadata", "trace_link", "assessment"):
            statement = _statement(f"select count(*) from {table} x where not exists "
                                   "(select 1 from trace t where t.project = x.project and t.trace = x.trace)")  # fmt: skip
            assert reader.all(statement) == [(0,)], table
    kinds = [event.kind for event in house.events.newest("p")]
    assert kinds.count("traces.deleted") == 2
    assert house.purged == [f"0/traces/{name_of(number)}" for number in oldest[:4]]


def test_where_files_lie_is_not_for_clients_to_say(house: House):
    house.start(1, tags={"mlflow.artifactLocation": "mlflow-artifacts:/0/models"})
    with pytest.raises(TraceInvalid, match="immutable"):
        house.traces.tag(ADA, TagTrace(trace=name_of(1), key="mlflow.artifactLocation", value="mlflow-artifacts:/0"))

    house.traces.delete(ADA, DeleteTraces(experiment="0", traces=[name_of(1)]))

    assert house.purged == [f"0/traces/{name_of(1)}"]


def _statement(text: str) -> Any:
    from treadle.kernel.store.sql import composed

    return composed("test", text)


@pytest.mark.parametrize(
    "asked",
    [{}, {"until_ms": 1, "traces": ["tr-1"]}, {"traces": ["tr-1"], "at_most": 1}, {"until_ms": 1, "at_most": 0}],
)
def test_a_deletion_says_exactly_what(house: House, asked: dict[str, Any]):
    with pytest.raises(TraceInvalid):
        house.traces.delete(ADA, DeleteTraces(experiment="0", **asked))
