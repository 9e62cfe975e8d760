"""Traces, assessments, evaluation datasets and scorers: a stock server and Treadle are asked the same and answer alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.intended import is_intended
from tests.peers.servers import Served
from tests.peers.twins import Difference, Twins

V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
ONE, TWO = (f"tr-{number:032x}" for number in (0xA1, 0xA2))
START_NS = 1_700_000_000_000_000_000
_OWN = re.compile(
    r"(?<!tr-)(?<![0-9a-f])(?:\b(?:a|d|dr)-)?[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\"digest\": \"[0-9a-f]{8}\""
    r"|20(?:2[6-9]|[3-9]\d)-[\d-]+T[\d:.]+Z|_time\": \d{13}"
)


def apart_from_own_ids(difference: Difference) -> bool:
    """Whether the two differ in ids, digests and times of their own alone."""
    left, right = (
        _OWN.sub("‹own›", json.dumps(_opened(one), sort_keys=True)) for one in (difference.stock, difference.treadle)
    )
    return left == right


def _opened(answer: tuple[int, Any]) -> Any:
    """An answer whose records, which travel as JSON text, can be compared."""
    status, content = answer
    if isinstance(content, dict) and "records" in content:
        content = content | {"records": json.loads(content["records"])}
    return [status, content]


@pytest.fixture(scope="module")
def twins(stock: Served, treadle: Served) -> Iterator[Twins]:
    both = Twins(stock, treadle, lambda one: is_intended(one) or apart_from_own_ids(one))
    both.ask("POST", f"{V2}/experiments/create", {"name": "traced"}, makes=("experiment_id",), kind="traced experiment")
    yield both
    both.close()


EXPERIMENT = "‹traced experiment1›"
HERE = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": EXPERIMENT}}]


def send(twins: Twins, *spans: dict[str, Any], **resource: str) -> None:
    """One request of spans to both."""
    said = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    body = json.dumps({"resourceSpans": [{"resource": {"attributes": said}, "scopeSpans": [{"spans": spans}]}]})
    for side in (twins.stock, twins.treadle):
        headers = {"content-type": "application/json", "x-mlflow-experiment-id": side.spelled(EXPERIMENT)}
        assert side.ask("POST", "/v1/traces", body.encode(), headers)[0] == 200


def span(trace: str, number: int, parent: int = 0, *, code: int = 1, **attributes: Any) -> dict[str, Any]:
    return {
        "traceId": trace[3:],
        "spanId": f"{number:016x}",
        "name": f"step {number}",
        "startTimeUnixNano": str(START_NS + number * 10**6),
        "endTimeUnixNano": str(START_NS + number * 10**7),
        "attributes": [
            {"key": key.replace("__", "."), "value": value if isinstance(value, dict) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
        "events": [{"name": "looked", "timeUnixNano": str(START_NS), "attributes": []}],
        "status": {"code": code},
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
    }


def summary(trace: str, **said: Any) -> dict[str, Any]:
    info = {
        "trace_id": trace,
        "trace_location": HERE[0],
        "request_time": "2023-11-14T22:13:20.5Z",
        "execution_duration": "1.5s",
        "state": "OK",
        "client_request_id": "c-1",
        "trace_metadata": {"m": "one", "mlflow.trace.session": "s", "mlflow.trace.tokenUsage": '{"input_tokens": 1}'},
        "tags": {"mlflow.traceName": "named", "team": "gates"},
    }
    return {"trace": {"trace_info": info | said}}


def test_traces_are_recorded_and_read_alike(twins: Twins) -> None:
    usage = '{"input_tokens":3,"output_tokens":4,"total_tokens":7}'
    send(twins, span(ONE, 2, 1, a="b", j='{"x": 1}', n={"intValue": "5"}, mlflow__spanType="LLM"), service="gates")
    twins.ask("GET", f"{V3}/traces/get", query={"trace_id": ONE, "allow_partial": "true"})
    send(
        twins,
        span(
            ONE,
            1,
            mlflow__spanInputs='{"messages":[{"role":"user","content":"hi"}]}',
            mlflow__spanOutputs='{"choices":[{"message":{"role":"assistant","content":"yo"}}]}',
            mlflow__traceTag__kind="demo",
            session__id="s",
            mlflow__chat__tokenUsage=usage,
            mlflow__llm__cost='{"input_cost":0.5,"output_cost":0.25,"total_cost":0.75}',
            mlflow__llm__model="tiny",
        ),
    )
    twins.ask("POST", f"{V3}/traces", summary(TWO))
    send(twins, span(TWO, 1, code=2, mlflow__chat__tokenUsage=usage))

    for trace in (ONE, TWO, "tr-none"):
        twins.ask("GET", f"{V3}/traces/get", query={"trace_id": trace})
        twins.ask("GET", f"{V3}/traces/{trace}")
        twins.ask("GET", f"{V2}/traces/{trace}/info")
    twins.ask("GET", f"{V3}/traces/batchGet", query=[("trace_ids", TWO), ("trace_ids", ONE), ("trace_ids", "tr-none")])
    twins.ask("POST", f"{V3}/traces/batchGetInfos", {"trace_ids": [ONE, "tr-none", TWO]})


@pytest.mark.parametrize(
    "filter",
    ["", "name = 'named'", "status = 'OK'", "status = 'ERROR'", "tags.team LIKE 'g%'", "metadata.m != 'one'",
     "span.name = 'step 1'", "span.type = 'LLM' AND span.name = 'step 2'", "span.type = 'LLM' AND span.name = 'step 1'",
     "timestamp > 1", "execution_time > 1000", "end_time > 5", "client_request_id = 'c-1'", f"request_id IN ('{ONE}')",
     "metadata.`mlflow.trace.session` = 's'", "metadata.`mlflow.trace.tokenUsage` IS NOT NULL", "name ILIKE 'NAMED'",
     "span.attributes.a LIKE '%b%'", "span.content LIKE '%tiny%'", "tags.team IS NULL", "name RLIKE '^n'", "foo = 'x'",
     "foo.bar = 'x'", "status > 'OK'", "name", "span.colour = 'x'", "feedback.none IS NULL", "prompt = 'a/1'"],
)  # fmt: skip
def test_filters_find_the_same_traces(twins: Twins, filter: str) -> None:
    twins.ask("POST", f"{V3}/traces/search", {"locations": HERE, "filter": filter})


@pytest.mark.parametrize(
    "order",
    ["timestamp ASC", "name", "status DESC", "tags.team", "metadata.m DESC", "foo", "execution_time desc", "request_id",
     "run_id", "span.name", "name FOO"],
)  # fmt: skip
def test_orders_are_the_same(twins: Twins, order: str) -> None:
    twins.ask("POST", f"{V3}/traces/search", {"locations": HERE, "order_by": [order]})


def test_assessments_are_kept_and_changed_alike(twins: Twins) -> None:
    human = {"source_type": "HUMAN", "source_id": "amina"}
    path = f"{V3}/traces/{ONE}/assessments"
    for number, said in enumerate(
        [
            {
                "feedback": {"value": 5, "error": {"error_code": "E", "error_message": "m"}},
                "rationale": "r",
                "span_id": "1",
            },
            {"expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "[1, 2.5, null]"}}},
            {"expectation": {"value": 3}},
            {"issue": {"issue_name": "slow"}},
            {"feedback": {"value": {"a": [True, "x"]}}, "metadata": {"k": "v"}},
            {"feedback": {"value": False}, "overrides": "a-0"},
            {"feedback": {"value": False}, "overrides": "a-none"},
            {},
        ]
    ):
        named = {"assessment_id": f"a-{number}", "assessment_name": f"said {number}", "source": human}
        twins.ask("POST", path, {"assessment": named | said})
        twins.ask("GET", f"{path}/a-{number}")
    for mask, said in [
        ("feedback", {"feedback": {"value": "x"}}),
        ("rationale", {"rationale": "other"}),
        ("metadata", {"metadata": {"c": "d"}}),
        ("assessmentName", {"assessment_name": "renamed"}),
        ("expectation", {"expectation": {"value": 1}}),
    ]:
        twins.ask("PATCH", f"{path}/a-4", {"assessment": said, "update_mask": mask})
    twins.ask("DELETE", f"{path}/a-5", {})
    twins.ask("GET", f"{path}/a-0")
    twins.ask("DELETE", f"{path}/a-none", {})
    twins.ask("GET", f"{V3}/traces/tr-none/assessments/a-0")


@pytest.mark.parametrize(
    ("view", "metric", "more"),
    [
        ("TRACES", "trace_count", {}),
        ("TRACES", "session_count", {}),
        ("TRACES", "latency", {"aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": 90}]}),
        ("SPANS", "span_count", {"dimensions": ["span_name", "span_status"]}),
        ("SPANS", "total_cost", {"dimensions": ["span_model_name"], "aggregations": [{"aggregation_type": "SUM"}]}),
        ("ASSESSMENTS", "assessment_count", {"dimensions": ["assessment_name"]}),
        ("TRACES", "trace_count", {"time_interval_seconds": 3600, "start_time_ms": 0, "end_time_ms": 2 * 10**12}),
        ("SPANS", "span_count", {"filters": ["span.name = 'step 1'", "trace.status = 'OK'"]}),
        ("TRACES", "nothing", {}),
        ("TRACES", "trace_count", {"dimensions": ["span_name"]}),
    ],
)
def test_numbers_over_traces_are_the_same(twins: Twins, view: str, metric: str, more: dict[str, Any]) -> None:
    asked = {"experiment_ids": [EXPERIMENT], "view_type": view, "metric_name": metric}
    count = {"aggregations": [{"aggregation_type": "COUNT"}]}

    twins.ask("POST", f"{V3}/traces/metrics", asked | count | more)


def test_tags_links_and_deletions_are_alike(twins: Twins) -> None:
    for body in [{"key": "k", "value": "v"}, {"value": "v"}, {"key": "mlflow.trace.spansLocation", "value": "x"}]:
        twins.ask("PATCH", f"{V3}/traces/{ONE}/tags", body)
    twins.ask("PATCH", f"{V3}/traces/{ONE}/tags", {"key": "mlflow.traceName", "value": "renamed"})
    twins.ask("GET", f"{V3}/traces/{ONE}")
    for key in ("k", "k", "mlflow.traceName", "mlflow.traceName"):
        twins.ask("DELETE", f"{V3}/traces/{ONE}/tags", {"key": key})
    twins.ask("POST", f"{V2}/traces/link-to-run", {"trace_ids": [ONE], "run_id": "r"})
    twins.ask(
        "POST", f"{V2}/traces/link-prompts", {"trace_id": ONE, "prompt_versions": [{"name": "p", "version": "1"}]}
    )
    twins.ask(
        "POST", f"{V2}/traces/link-prompts", {"trace_id": "no", "prompt_versions": [{"name": "p", "version": "1"}]}
    )
    for filter in ("run_id = 'r'", "prompt = 'p/1'"):
        twins.ask("POST", f"{V3}/traces/search", {"locations": HERE, "filter": filter})
    asked = {"experiment_ids": [EXPERIMENT], "filter_string1": "status = 'OK'", "filter_string2": "name = 'named'"}
    twins.ask("POST", f"{V3}/traces/calculate-filter-correlation", asked)
    for body in [{}, {"max_traces": 0, "max_timestamp_millis": 5}, {"request_ids": [TWO, "x"]}]:
        twins.ask("POST", f"{V3}/traces/delete-traces", {"experiment_id": EXPERIMENT, **body})
    twins.ask("GET", f"{V3}/traces/{TWO}")


def test_evaluation_datasets_are_alike(twins: Twins) -> None:
    made = {"name": "questions", "tags": '{"a": "b", "mlflow.user": "u"}', "experiment_ids": [EXPERIMENT]}
    twins.ask("POST", f"{V3}/datasets/create", made, makes=("dataset", "dataset_id"), kind="questions")
    one = f"{V3}/datasets/‹questions1›"
    for records in (
        [
            {
                "inputs": {"q": "a", "n": 1},
                "outputs": {"o": [1]},
                "expectations": {"e": 1.5},
                "tags": {"mlflow.user": "w"},
            }
        ],
        [{"inputs": {"n": 1, "q": "a"}, "expectations": {"f": None}, "outputs": "text"}],
    ):
        twins.ask("POST", f"{one}/records", {"records": json.dumps(records)})
        twins.ask("GET", f"{one}/records")
        twins.ask("GET", one)
    twins.ask("PATCH", f"{one}/tags", {"tags": '{"z": 1, "y": null}'})
    for key in ("z", "none"):
        twins.ask("DELETE", f"{one}/tags/{key}", {})
    twins.ask("GET", f"{one}/experiment-ids")
    for filter in ("name LIKE 'q%'", "created_time > 0", "created_by = 'u'", "tags.a = 'b'", "foo = 'x'"):
        twins.ask("POST", f"{V3}/datasets/search", {"experiment_ids": [EXPERIMENT], "filter_string": filter})
    twins.ask("POST", f"{one}/add-experiments", {"experiment_ids": ["987654"]})
    twins.ask("POST", f"{one}/remove-experiments", {"experiment_ids": ["987654"]})
    twins.ask("DELETE", f"{one}/records", {"dataset_record_ids": ["none"]})
    for _ in range(2):
        twins.ask("DELETE", one, {})
        twins.ask("GET", one)


def test_scorers_are_alike(twins: Twins) -> None:
    def register(name: str, serialized: str, experiment: str = EXPERIMENT) -> None:
        body = {"experiment_id": experiment, "name": name, "serialized_scorer": serialized}
        twins.ask("POST", f"{V3}/scorers/register", body)

    for name, text in [
        ("s", '{"n": 1}'),
        ("s", '{"n": 2}'),
        (" ", "{}"),
        ("x", "no JSON"),
        ("x", '{"call_source": "y"}'),
    ]:
        register(name, text)
    register("x", "{}", "987654")
    for asked in [{}, {"version": "1"}, {"version": "9"}]:
        twins.ask("GET", f"{V3}/scorers/get", query={"experiment_id": EXPERIMENT, "name": "s", **asked})
    twins.ask("GET", f"{V3}/scorers/list", query={"experiment_id": EXPERIMENT})
    twins.ask("GET", f"{V3}/scorers/versions", query={"experiment_id": EXPERIMENT, "name": "s"})
    for body in [{"version": 1}, {}, {}]:
        twins.ask("DELETE", f"{V3}/scorers/delete", {"experiment_id": EXPERIMENT, "name": "s", **body})
