"""Spans become traces, whatever comes first: the spans, the client's summary, or half of either."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings

from tests.systems.train.traces.conftest import ADA, House, name_of, opened, span
from tests.wire.otlp.strategies import SPANS
from treadle.systems.train.traces.errors import TraceInvalid, TraceNotFound
from treadle.systems.train.traces.requests import TraceNamed
from treadle.systems.train.traces.spans import content_of
from treadle.systems.train.tracking.errors import ExperimentNotFound
from treadle.systems.train.tracking.experiments import CreateExperiment, ExperimentNumbered
from treadle.testing import embedded_store
from treadle.wire.mlflow.traces import any_value, span_of
from treadle.wire.otlp import Event, Span


def test_spans_alone_make_a_trace(house: House):
    house.send(
        span(
            1, 1, start_ms=1000, end_ms=1500, attributes={"mlflow.spanInputs": '{"q": 1}', "mlflow.spanOutputs": "[2]"}
        ),
        span(1, 2, 1, start_ms=1100, end_ms=1200),
        **{"service.name": "gates", "telemetry.sdk.name": "otel", "count": 3},
    )

    trace = house.get(1)

    assert (trace.start_ms, trace.duration_ms, trace.status) == (1000, 500, "OK")
    assert (trace.request_preview, trace.response_preview) == ('{"q": 1}', "[2]")
    assert trace.tags["service.name"] == "gates"
    assert trace.tags["count"] == "3"
    assert "telemetry.sdk.name" not in trace.tags
    assert trace.tags["mlflow.artifactLocation"] == f"mlflow-artifacts:/0/traces/{name_of(1)}/artifacts"
    assert [json.loads(content)["name"] for content in house.contents(1)] == ["step 1", "step 2"]


def test_a_trace_goes_on_until_its_root_has_come(house: House):
    house.send(span(1, 2, 1, start_ms=1100, end_ms=1200))
    assert house.get(1).status == "IN_PROGRESS"

    house.send(span(1, 1, start_ms=1000, end_ms=1300, status_code=2))

    trace = house.get(1)
    assert (trace.status, trace.start_ms, trace.duration_ms) == ("ERROR", 1000, 300)


def test_a_span_without_an_end_leaves_the_duration_open(house: House):
    house.send(span(1, 2, 1, end_ms=0))

    assert house.get(1).duration_ms is None


def test_a_span_that_comes_again_is_kept_once(house: House):
    for _ in range(2):
        house.send(span(1, 1), span(1, 2, 1))

    assert len(house.contents(1)) == 2


def test_the_summary_and_the_spans_meet_in_either_order(house: House):
    said = {"tags": {"mlflow.traceName": "ask", "team": "flights"}, "metadata": {"m": "1"}, "duration_ms": 20}
    house.start(1, **said)
    house.send(span(1), **{"service.name": "gates"})
    house.send(span(2), **{"service.name": "gates"})
    house.start(2, **said)

    first, second = house.get(1), house.get(2)

    for trace in (first, second):
        assert (trace.name, trace.tags["team"], trace.tags["service.name"]) == ("ask", "flights", "gates")
        assert (trace.metadata["m"], trace.status, trace.duration_ms) == ("1", "OK", 20)


def test_a_trace_is_not_whole_before_all_its_spans_have_come(house: House):
    house.start(1, metadata={"mlflow.trace.sizeStats": '{"num_spans": 2}'})
    house.send(span(1))
    with pytest.raises(TraceNotFound):
        house.contents(1, allow_partial=False)
    assert len(house.contents(1)) == 1

    house.send(span(1, 2, 1))

    assert len(house.contents(1, allow_partial=False)) == 2


def test_tokens_are_summed_over_the_tree_and_never_twice(house: House):
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    house.send(span(1, 2, 1, attributes={"mlflow.chat.tokenUsage": json.dumps(usage)}))
    house.send(span(1, 3, 1, attributes={"mlflow.chat.tokenUsage": json.dumps(usage)}))
    assert house.get(1).total_tokens == 14

    house.send(span(1, 1, attributes={"mlflow.chat.tokenUsage": json.dumps(usage | {"total_tokens": 15})}))

    trace = house.get(1)
    assert (trace.input_tokens, trace.total_tokens) == (5, 15)
    assert json.loads(trace.metadata["mlflow.trace.tokenUsage"])["total_tokens"] == 15


def test_what_the_summary_says_of_tokens_stands(house: House):
    house.start(1, metadata={"mlflow.trace.tokenUsage": '{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}'})
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}

    house.send(
        span(1, attributes={"mlflow.chat.tokenUsage": json.dumps(usage), "mlflow.llm.cost": '{"total_cost": 0.5}'})
    )

    trace = house.get(1)
    assert (trace.total_tokens, trace.total_cost) == (2, 0.5)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4},
            "CHAT_MODEL",
        ),
        ({"openinference.span.kind": "LLM", "llm.token_count.prompt": 3, "llm.token_count.completion": 4}, "LLM"),
        ({"traceloop.span.kind": "tool", "gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 4}, "TOOL"),
    ],
)
def test_other_libraries_words_are_understood(house: House, said: dict[str, object], kind: str):
    house.send(span(1, attributes=said))

    attributes = json.loads(house.contents(1)[0])["attributes"]
    assert json.loads(attributes["mlflow.spanType"]) == kind
    assert house.get(1).total_tokens == 7


def test_session_user_and_tags_come_with_the_spans(house: House):
    attributes = {
        "session.id": "s-1",
        "user.id": "amina",
        "mlflow.traceTag.team": "flights",
        "mlflow.traceTag.": "no name",
    }

    house.send(span(1, attributes=attributes))

    trace = house.get(1)
    assert (trace.session, trace.metadata["mlflow.trace.session"]) == ("s-1", "s-1")
    assert (trace.metadata["mlflow.trace.user"], trace.tags["team"]) == ("amina", "flights")


def test_a_request_is_recorded_whole_or_not_at_all(house: House):
    with pytest.raises(ExperimentNotFound):
        house.send(span(1), experiment="7")
    house.send(span(1))

    with pytest.raises(ExperimentNotFound):
        house.send(span(1, 2, 1), span(2), experiment="7")

    assert len(house.contents(1)) == 1


def test_a_new_trace_needs_an_active_experiment(house: House):
    made = str(house.experiments.create(ADA, CreateExperiment(name="old")).number)
    house.experiments.delete(ADA, ExperimentNumbered(experiment=made))

    with pytest.raises(TraceInvalid, match="must be in the 'active' state"):
        house.start(1, experiment=made)


@pytest.mark.parametrize("bad", ["../../etc", "tr-1/..", "", "a b", "x" * 300])
def test_an_id_that_could_be_a_path_is_refused(house: House, bad: str):
    with pytest.raises(TraceInvalid):
        house.start(1, id=bad)


def test_a_trace_is_tied_to_the_run_and_the_model_that_it_names(house: House):
    house.start(1, metadata={"mlflow.sourceRun": "a" * 32, "mlflow.modelId": "m-1"})
    house.send(span(1), run="b" * 32)

    links = house.traces.links(ADA, TraceNamed(trace=name_of(1)))

    assert [(link.kind, link.target) for link in links] == [("model", "m-1"), ("run", "b" * 32), ("source", "a" * 32)]


def test_many_writers_of_one_trace_lose_nothing(house: House):
    """Spans and the summary of a trace come at once, from as many threads as like."""
    usage = json.dumps({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2})

    def write(first: int) -> None:
        for number in range(first, first + 5):
            house.send(span(1, number, 1, attributes={"mlflow.chat.tokenUsage": usage}), span(2, number, 1))

    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(write, first) for first in (2, 10, 20, 30)]
        waiting.append(pool.submit(house.start, 1, tags={"mlflow.traceName": "busy"}))
        for one in waiting:
            one.result()

    assert (len(house.contents(1)), len(house.contents(2))) == (20, 20)
    trace = house.get(1)
    assert (trace.total_tokens, trace.name) == (40, "busy")


def test_ten_thousand_spans_come_back_in_order(tmp_path):
    house = opened(embedded_store(tmp_path))
    house.send(span(1), *(span(1, number, 1, start_ms=1000 + number) for number in range(2, 10_001)))

    contents = house.contents(1)

    assert [json.loads(content)["name"] for content in contents[:3]] == ["step 1", "step 2", "step 3"]
    assert len(contents) == 10_000


def _read_back(value: object) -> object:
    """A value as JSON keeps it: bytes become text."""
    match value:
        case bytes():
            return str(value)
        case str():
            return value.replace("\0", "")
        case list():
            return [_read_back(one) for one in value]
        case dict():
            return {key.replace("\0", ""): _read_back(one) for key, one in value.items()}
    return value


@given(SPANS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_a_client_reads_is_what_was_sent(sent: Span):
    """From OTLP into the kept form, and out again as clients get it."""
    kept = json.dumps(content_of("tr-1", sent), ensure_ascii=False, default=str)

    read = span_of(kept)

    told = {one["key"]: one.get("value", {}) for one in read["attributes"]}
    del told["mlflow.traceRequestId"]
    expected = {key.replace("\0", ""): value for key, value in sent.attributes.items()}
    for key, value in expected.items():
        if isinstance(value, str) and value.lstrip()[:1] in ('"', "[", "{"):
            continue  # text that is JSON already is read as what it says
        assert told[key] == any_value(_read_back(value))
    assert read.get("name", "") == sent.name.replace("\0", "")
    assert int(read.get("start_time_unix_nano", 0)) == sent.start_ns
    assert read["status"].get("message", "") == sent.status_message.replace("\0", "")
    assert len(read.get("events", [])) == len(sent.events)


def test_a_span_with_odd_characters_can_be_searched_for(house: House):
    odd = {"a\0": "b\0c", "nan": float("nan"), "deep": {"k": ["\0x"]}, "json": '{"a": "\\u0000"}'}
    event = Event(name="e\0", attributes={"nan": float("nan"), "inf": [float("inf")], "raw": b"\0"})
    house.send(span(1, name="n\0", attributes=odd, events=[event], status_message="m\0"))

    assert house.found("span.attributes.a = 'bc'") == [1]
    assert house.found("span.attributes.deep LIKE '%x%' AND span.name = 'n'") == [1]
    assert house.found("span.attributes.json LIKE '%a%'") == [1]
    assert span_of(house.contents(1)[0])["events"][0]["name"] == "e"


def test_a_trace_that_is_not_there_is_said_to_be_so(house: House):
    with pytest.raises(TraceNotFound, match="not found"):
        house.traces.get(ADA, TraceNamed(trace="tr-nothing"))
