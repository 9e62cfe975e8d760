"""Tracing as applications write it: spans of every kind, search, feedback, evaluation datasets, scorers, prompts."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import mlflow
import mlflow.genai
import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.entities import AssessmentSource, Feedback, SpanType, Trace

client = MlflowClient()


def newest() -> Trace:
    mlflow.flush_trace_async_logging()
    found = mlflow.get_last_active_trace_id()
    assert found is not None
    return mlflow.get_trace(found)


def found(filter_string: str, **asked: Any) -> list[str]:
    mlflow.flush_trace_async_logging()
    traces: list[Trace] = mlflow.search_traces(filter_string=filter_string, return_type="list", **asked)
    return [trace.info.trace_id for trace in traces]


@mlflow.trace(span_type=SpanType.TOOL)
def inner(value: int) -> int:
    return value + 1


@mlflow.trace(name="outer", span_type=SpanType.CHAIN, attributes={"model": "tiny", "depth": 2})
def outer(value: int, note: str = "ünïcødé 😀") -> dict[str, Any]:
    mlflow.update_current_trace(tags={"team": "flights"}, metadata={"release": "7"}, client_request_id="req-1")
    with mlflow.start_span("middle") as span:
        span.set_inputs({"value": value})
        span.set_attributes({"ratio": 0.25, "names": ["a", "b"], "nested": {"k": None}})
        span.add_event(mlflow.entities.SpanEvent("looked", attributes={"rows": 3}))
        span.set_outputs([value, note])
    return {"value": inner(value) * 2, "note": note}


def spans() -> None:
    mlflow.set_experiment("spans")
    with mlflow.start_run() as run:
        assert outer(3)["value"] == 8
    trace = newest()
    assert trace.info.state == "OK"
    assert (trace.info.tags["team"], trace.info.tags["mlflow.traceName"]) == ("flights", "outer")
    assert trace.info.trace_metadata["release"] == "7"
    assert trace.info.trace_metadata["mlflow.sourceRun"] == run.info.run_id
    assert trace.info.client_request_id == "req-1"
    root, *others = trace.data.spans
    assert (root.name, root.parent_id, root.span_type) == ("outer", None, "CHAIN")
    assert root.inputs == {"value": 3, "note": "ünïcødé 😀"}
    assert root.outputs == {"value": 8, "note": "ünïcødé 😀"}
    assert (root.get_attribute("model"), root.get_attribute("depth")) == ("tiny", 2)
    middle, last = others
    assert (middle.name, middle.parent_id, last.span_type) == ("middle", root.span_id, "TOOL")
    assert middle.get_attribute("ratio") == 0.25
    assert middle.get_attribute("names") == ["a", "b"]
    assert middle.get_attribute("nested") == {"k": None}
    assert middle.outputs == [3, "ünïcødé 😀"]
    assert (middle.events[0].name, dict(middle.events[0].attributes)) == ("looked", {"rows": 3})
    assert root.start_time_ns <= middle.start_time_ns <= middle.end_time_ns <= root.end_time_ns
    assert found(f"run_id = '{run.info.run_id}'") == [trace.info.trace_id]
    assert found("tags.team = 'flights' AND metadata.release = '7'") == [trace.info.trace_id]
    frame = mlflow.search_traces(filter_string="name = 'outer'")
    assert list(frame["trace_id"]) == [trace.info.trace_id]


@mlflow.trace
def failing() -> None:
    with mlflow.start_span("deeper"):
        raise ValueError("it broke")


@mlflow.trace
async def waiting(value: int) -> int:
    await asyncio.sleep(0)
    return (await asyncio.gather(*(async_inner(one) for one in range(value))))[-1]


@mlflow.trace
async def async_inner(value: int) -> int:
    await asyncio.sleep(0)
    return value


@mlflow.trace
def streaming(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"piece {number}"


@mlflow.trace(output_reducer=lambda pieces: "".join(pieces))
async def streaming_async(count: int) -> AsyncIterator[str]:
    for number in range(count):
        yield str(number)


def kinds() -> None:
    mlflow.set_experiment("kinds")
    with pytest.raises(ValueError, match="it broke"):
        failing()
    trace = newest()
    assert trace.info.state == "ERROR"
    assert [span.status.status_code for span in trace.data.spans] == ["ERROR", "ERROR"]
    event = trace.data.spans[1].events[0]
    assert (event.name, event.attributes["exception.message"]) == ("exception", "it broke")

    assert asyncio.run(waiting(3)) == 2
    trace = newest()
    assert [span.name for span in trace.data.spans].count("async_inner") == 3

    assert list(streaming(3)) == ["piece 0", "piece 1", "piece 2"]
    trace = newest()
    assert trace.data.spans[0].outputs == ["piece 0", "piece 1", "piece 2"]
    assert [event.attributes["mlflow.chunk.value"] for event in trace.data.spans[0].events] == [
        '"piece 0"', '"piece 1"', '"piece 2"',
    ]  # fmt: skip

    async def all_of_it() -> list[str]:
        return [piece async for piece in streaming_async(3)]

    assert asyncio.run(all_of_it()) == ["0", "1", "2"]
    assert newest().data.spans[0].outputs == "012"

    root = mlflow.start_span_no_context("by hand", inputs={"q": 1})
    child = mlflow.start_span_no_context("child", parent_span=root)
    child.end(outputs="done")
    root.end(outputs="all done")
    assert [span.name for span in newest().data.spans] == ["by hand", "child"]

    threads = [threading.Thread(target=inner, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found("name = 'inner'")) == 4
    assert len(found("status = 'ERROR'")) == 1
    assert found("span.name = 'deeper' AND span.status = 'ERROR'") == found("status = 'ERROR'")
    assert found("span.name = 'child'") == found("name = 'by hand'")
    assert found("execution_time >= 0", max_results=2) == found("execution_time >= 0")[:2]


def many() -> None:
    """A trace of many spans comes back whole."""
    mlflow.set_experiment("many")
    with mlflow.start_span("root"):
        for number in range(500):
            with mlflow.start_span(f"step {number}") as span:
                span.set_inputs({"number": number})
    trace = newest()
    assert len(trace.data.spans) == 501
    assert {span.inputs["number"] for span in trace.data.spans[1:]} == set(range(500))


def tags() -> None:
    mlflow.set_experiment("tags")
    inner(1)
    trace = newest().info.trace_id
    mlflow.set_trace_tag(trace, "kind", "demo")
    assert client.get_trace(trace).info.tags["kind"] == "demo"
    mlflow.delete_trace_tag(trace, "kind")
    assert "kind" not in mlflow.get_trace(trace).info.tags
    with pytest.raises(MlflowException) as refused:
        mlflow.delete_trace_tag(trace, "kind")
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with mlflow.start_run() as run:
        client.link_traces_to_run([trace], run.info.run_id)
    assert found(f"run_id = '{run.info.run_id}'") == [trace]
    experiment = mlflow.get_experiment_by_name("tags").experiment_id
    assert client.delete_traces(experiment, trace_ids=[trace]) == 1
    assert mlflow.get_trace(trace) is None
    for number in range(3):
        inner(number)
    mlflow.flush_trace_async_logging()
    assert client.delete_traces(experiment, max_timestamp_millis=2**53, max_traces=2) == 2
    assert len(found("name = 'inner'")) == 1


def feedback() -> None:
    mlflow.set_experiment("feedback")
    inner(1)
    trace = newest().info.trace_id
    person = AssessmentSource(source_type="HUMAN", source_id="amina")
    said = mlflow.log_feedback(
        trace_id=trace, name="correct", value=False, source=person, rationale="one too many", metadata={"page": "3"}
    )
    assert said.assessment_id
    mlflow.log_feedback(trace_id=trace, name="score", value=0.75)
    mlflow.log_feedback(trace_id=trace, name="labels", value=["a", "b"])
    mlflow.log_feedback(trace_id=trace, name="judge", error=ValueError("no answer"))
    wanted = mlflow.log_expectation(trace_id=trace, name="answer", value={"value": 2, "unit": None}, source=person)
    read = {one.name: one for one in mlflow.get_trace(trace).info.assessments}
    assert (read["correct"].value, read["correct"].rationale, read["correct"].source.source_id) == (
        False, "one too many", "amina",
    )  # fmt: skip
    assert read["correct"].metadata == {"page": "3"}
    assert read["score"].value == 0.75
    assert read["labels"].value == ["a", "b"]
    assert read["judge"].error.error_message == "no answer"
    assert read["answer"].value == {"value": 2, "unit": None}
    assert mlflow.get_assessment(trace, wanted.assessment_id).name == "answer"

    changed = mlflow.update_assessment(trace, said.assessment_id, Feedback(name="correct", value=True))
    assert (changed.value, changed.rationale) == (True, "one too many")
    better = mlflow.override_feedback(trace_id=trace, assessment_id=said.assessment_id, value=False, rationale="no")
    read = {one.assessment_id: one for one in mlflow.get_trace(trace).info.assessments}
    assert (read[said.assessment_id].valid, read[better.assessment_id].overrides) == (False, said.assessment_id)
    assert found("feedback.correct = 'false'") == [trace]
    assert found("feedback.correct = 'true'") == []
    assert found("feedback.score > 0.5 AND feedback.score <= 0.75") == [trace]
    assert found("feedback.score > 0.75") == []
    assert found("expectation.answer IS NOT NULL AND feedback.other IS NULL") == [trace]
    mlflow.delete_assessment(trace, better.assessment_id)
    assert mlflow.get_assessment(trace, said.assessment_id).valid
    with pytest.raises(MlflowException) as refused:
        mlflow.get_assessment(trace, better.assessment_id)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def datasets() -> None:
    from mlflow.genai import datasets as evaluation

    experiment = mlflow.set_experiment("datasets").experiment_id
    made = evaluation.create_dataset(name="questions", experiment_id=[experiment], tags={"team": "flights"})
    made.merge_records(
        [
            {"inputs": {"question": "how late?"}, "expectations": {"answer": "ten minutes"}},
            {"inputs": {"question": "which gate?"}, "expectations": {"answer": "B7"}, "tags": {"hard": "yes"}},
        ]
    )
    made.merge_records([{"inputs": {"question": "how late?"}, "expectations": {"sure": True}}])
    read = evaluation.get_dataset(dataset_id=made.dataset_id)
    assert (read.name, read.tags["team"]) == ("questions", "flights")
    frame = read.to_df()
    expectations = {row["inputs"]["question"]: row["expectations"] for _, row in frame.iterrows()}
    assert expectations == {
        "how late?": {"answer": "ten minutes", "sure": True},
        "which gate?": {"answer": "B7"},
    }
    assert json.loads(read.profile) == {"num_records": 2}
    assert json.loads(read.schema)["inputs"] == {"question": "string"}
    outer(1)
    made.merge_records([newest()])
    assert len(evaluation.get_dataset(dataset_id=made.dataset_id).to_df()) == 3
    names = [
        one.name for one in evaluation.search_datasets(experiment_ids=[experiment], filter_string="name LIKE 'q%'")
    ]
    assert names == ["questions"]
    evaluation.set_dataset_tags(dataset_id=made.dataset_id, tags={"stage": "final"})
    evaluation.delete_dataset_tag(dataset_id=made.dataset_id, key="team")
    assert "team" not in evaluation.get_dataset(dataset_id=made.dataset_id).tags
    other = mlflow.set_experiment("datasets, too").experiment_id
    evaluation.add_dataset_to_experiments(dataset_id=made.dataset_id, experiment_ids=[other])
    assert sorted(evaluation.get_dataset(dataset_id=made.dataset_id).experiment_ids) == sorted([experiment, other])
    evaluation.remove_dataset_from_experiments(dataset_id=made.dataset_id, experiment_ids=[experiment])
    assert evaluation.get_dataset(dataset_id=made.dataset_id).experiment_ids == [other]
    record = read.to_df()["dataset_record_id"][0]
    assert read.delete_records([record]) == 1
    evaluation.delete_dataset(dataset_id=made.dataset_id)
    with pytest.raises(MlflowException) as refused:
        evaluation.get_dataset(dataset_id=made.dataset_id)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def scorers() -> None:
    from mlflow.genai.scorers import Guidelines, delete_scorer, get_scorer, list_scorers, scorer

    experiment = mlflow.set_experiment("scorers").experiment_id
    judge = Guidelines(name="polite", guidelines=["Be polite."])
    judge.register(experiment_id=experiment)
    Guidelines(name="polite", guidelines=["Be very polite."]).register(experiment_id=experiment)
    assert [one.name for one in list_scorers(experiment_id=experiment)] == ["polite"]
    assert get_scorer(name="polite", experiment_id=experiment).guidelines == ["Be very polite."]
    assert get_scorer(name="polite", experiment_id=experiment, version=1).guidelines == ["Be polite."]
    delete_scorer(name="polite", experiment_id=experiment, version=2)
    assert get_scorer(name="polite", experiment_id=experiment).guidelines == ["Be polite."]
    delete_scorer(name="polite", experiment_id=experiment, version="all")
    with pytest.raises(MlflowException) as refused:
        get_scorer(name="polite", experiment_id=experiment)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"

    @scorer
    def exact(outputs: str) -> bool:
        return outputs == "B7"

    with pytest.raises(MlflowException):
        exact.register(experiment_id=experiment)

    frame = mlflow.genai.evaluate(
        data=[{"inputs": {"question": "which gate?"}, "outputs": "B7"}], scorers=[exact]
    ).tables["eval_results"]
    assert bool(frame["exact/value"][0])


def prompts() -> None:
    mlflow.set_experiment("prompts")
    first = mlflow.genai.register_prompt(
        name="greeting", template="Hello {{name}}", commit_message="first", tags={"tone": "warm"}
    )
    second = mlflow.genai.register_prompt(name="greeting", template="Good day {{name}}")
    assert (first.version, second.version) == (1, 2)
    mlflow.genai.set_prompt_alias("greeting", alias="production", version=1)
    loaded = mlflow.genai.load_prompt("prompts:/greeting@production")
    assert (loaded.version, loaded.format(name="Amina")) == (1, "Hello Amina")
    assert mlflow.genai.load_prompt("greeting", version=2).template == "Good day {{name}}"
    assert mlflow.genai.load_prompt("prompts:/greeting@latest").version == 2
    assert [one.name for one in mlflow.genai.search_prompts("name = 'greeting'")] == ["greeting"]
    mlflow.genai.set_prompt_tag("greeting", "team", "flights")
    mlflow.genai.set_prompt_version_tag("greeting", 2, "seen", "yes")
    assert mlflow.genai.load_prompt("greeting", version=2).tags["seen"] == "yes"

    @mlflow.trace
    def greet() -> str:
        return str(mlflow.genai.load_prompt("prompts:/greeting@production").format(name="Amina"))

    greet()
    for linking in [one for one in threading.enumerate() if one.name.startswith("link_prompts")]:
        linking.join()
    assert found("prompt = 'greeting/1'") == [newest().info.trace_id]
    mlflow.genai.delete_prompt_alias("greeting", alias="production")
    with pytest.raises(MlflowException):
        mlflow.genai.load_prompt("prompts:/greeting@production", allow_missing=False)


def opentelemetry() -> None:
    """An application without MLflow: OpenTelemetry's own exporter, and its JSON; only a header says where to."""
    import requests
    from opentelemetry import trace as api
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    address = f"{mlflow.get_tracking_uri()}/v1/traces"
    experiment = mlflow.set_experiment("opentelemetry").experiment_id
    headers = {"x-mlflow-experiment-id": experiment}
    results: list[SpanExportResult] = []

    class Watched(SpanExporter):
        def __init__(self, exporter: SpanExporter) -> None:
            self._exporter = exporter

        def export(self, spans: Any) -> SpanExportResult:
            results.append(self._exporter.export(spans))
            return results[-1]

    def traced(exporter: SpanExporter, **attributes: Any) -> str:
        provider = TracerProvider(resource=Resource({"service.name": "gate-keeper"}))
        provider.add_span_processor(SimpleSpanProcessor(Watched(exporter)))
        tracer = provider.get_tracer("plain")
        with tracer.start_as_current_span("request", context=api.set_span_in_context(api.INVALID_SPAN)) as span:
            span.set_attributes(attributes)
            with tracer.start_as_current_span("query"):
                pass
        provider.shutdown()
        return f"tr-{span.get_span_context().trace_id:032x}"

    plain = traced(OTLPSpanExporter(endpoint=address, headers=headers), rows=3, ratio=0.5, names=["a", "b"])
    trace = mlflow.get_trace(plain)
    assert [span.name for span in trace.data.spans] == ["request", "query"]
    assert (trace.info.state, trace.info.tags["service.name"]) == ("OK", "gate-keeper")
    root = trace.data.spans[0]
    assert [root.get_attribute(name) for name in ("rows", "ratio", "names")] == [3, 0.5, ["a", "b"]]

    packed = traced(OTLPSpanExporter(endpoint=address, headers=headers, compression=Compression.Gzip))
    assert len(mlflow.get_trace(packed).data.spans) == 2
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "tiny", "session.id": "s-1", "user.id": "amina",
        "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 5,
    }  # fmt: skip
    chat = mlflow.get_trace(traced(OTLPSpanExporter(endpoint=address, headers=headers), **said))
    assert {name: chat.info.token_usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")} == {
        "input_tokens": 7, "output_tokens": 5, "total_tokens": 12,
    }  # fmt: skip
    assert chat.data.spans[0].span_type == "CHAT_MODEL"
    metadata = chat.info.trace_metadata
    assert (metadata["mlflow.trace.session"], metadata["mlflow.trace.user"]) == ("s-1", "amina")
    assert set(results) == {SpanExportResult.SUCCESS}

    traced(OTLPSpanExporter(endpoint=address, timeout=2))
    assert results[-1] is SpanExportResult.FAILURE

    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "from a browser",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": 1_700_000_001_500_000_000, "kind": "SPAN_KIND_CLIENT",
        "attributes": [{"key": "page", "value": {"stringValue": "/gates"}}], "status": {"code": 2, "message": "no answer"},
    }  # fmt: skip
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert requests.post(address, json=body, headers=headers, timeout=10).status_code == 200
    trace = mlflow.get_trace("tr-0af7651916cd43dd8448eb211c80319c")
    assert (trace.info.state, trace.info.execution_duration, trace.info.request_time) == (
        "ERROR",
        1500,
        1_700_000_000_000,
    )
    assert trace.data.spans[0].get_attribute("page") == "/gates"


STORIES = (spans, kinds, many, tags, feedback, datasets, scorers, prompts, opentelemetry)

if __name__ == "__main__":
    for story in STORIES:
        if len(sys.argv) == 1 or story.__name__ in sys.argv[1:]:
            story()
            print(story.__name__, "as written", flush=True)
