"""Predictions leave the log once, keep every bit, and can be run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.systems.serve.control import CALLER, Sink
from tests.systems.serve.models import ROWS, deploy, flights_model
from tests.systems.serve.processes import Server, start_server
from treadle.ground.digests import of_bytes
from treadle.systems.serve import PredictionNamed, Predictions, PredictionShipper
from treadle.systems.serve.errors import PredictionNotFound
from treadle.systems.serve.replay import recorded_call, replay_call
from treadle.systems.serve.runtime.log import segments_of
from treadle.systems.serve.runtime.models import load_model

MOMENT = "2013-04-01T06:00:00+02:00"


class Archive:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def call_of(self, prediction_id: str) -> Any:
        import pyarrow.compute as pc

        for _, table in self.sink.landed.values():
            found = table.filter(pc.equal(table["prediction_id"], prediction_id))
            if len(found):
                return table.filter(pc.equal(table["call_id"], found["call_id"][0]))
        return None


@pytest.fixture
def server(serving: Path) -> Iterator[Server]:
    deploy(serving, "flights", flights_model(), allow_backdating=True)
    deploy(serving, "numbers", flights_model(numeric=True))
    with start_server(serving, arguments=("--segment-bytes", "4000")) as running:
        yield running


def ask(server: Server, **given: Any) -> list[dict[str, Any]]:
    body = {"rows": [*ROWS, {**ROWS[0], "carrier": "ZZ"}], **given}
    answer = server.http.post("/predict/flights", json=body)
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def test_a_shipped_row_holds_what_was_served(serving: Path, server: Server) -> None:
    answered = ask(
        server, entity=["u1", "u2", "u3", "u4"], event_at=MOMENT, feature_as_of=MOMENT, id="req", unit="day 1"
    )
    sink = Sink()

    report = PredictionShipper(serving, sink).ship()

    rows = sink.rows("flights")
    assert (report.calls, report.rows, report.landings) == (1, 4, 1)
    assert [row["prediction_id"] for row in rows] == [one["prediction_id"] for one in answered]
    assert [row["output"] for row in rows] == [one["probability"] for one in answered]
    assert [row["outputs"] for row in rows] == [[one["probability"]] for one in answered]
    assert [row["in_carrier"] for row in rows] == ["UA", "9E", None, "ZZ"]
    assert [row["in_distance"] for row in rows] == [1400.0, None, 229.0, 1400.0]
    assert [row["in_dep_hour"] for row in rows] == [6, 17, 22, 6]
    assert [row["in_holiday"] for row in rows] == [False, True, False, False]
    last = rows[-1]
    assert (last["entity"], last["call_rows"], last["row_in_call"], last["unit"]) == ("u4", 4, 3, "day 1")
    assert (last["endpoint"], last["revision"], last["model"], last["model_version"]) == (
        "flights",
        1,
        "late-arrival",
        "1",
    )
    assert last["event_at"] == last["feature_as_of"] == datetime(2013, 4, 1, 4, tzinfo=UTC)
    assert last["backdated"]
    assert (last["engine"], last["threads"], last["request_id"]) == ("lightgbm", 1, "req")


@pytest.mark.parametrize("form", ["plain", "protocol"])
def test_a_prediction_keeps_the_digest_of_the_frame_that_its_vector_came_from(
    serving: Path, server: Server, form: str
) -> None:
    frame = of_bytes(b"a frame of features")
    if form == "plain":
        ask(server, features=frame)
    else:
        tensors = [{"name": "input", "datatype": "FP64", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}]
        answer = server.infer("numbers", {"inputs": tensors, "parameters": {"features": frame}})
        assert answer.status_code == 200, answer.text
    sink = Sink()
    PredictionShipper(serving, sink).ship()

    (row, *_) = sink.rows("flights" if form == "plain" else "numbers")

    predictions = Predictions(lambda project: serving, Archive(sink))
    found = predictions.get(CALLER, PredictionNamed(prediction_id=row["prediction_id"]))
    assert row["features"] == found.features == frame


def test_features_that_are_no_digest_are_refused(server: Server) -> None:
    answer = server.http.post("/predict/flights", json={"rows": [ROWS[0]], "features": "yesterday's"})

    assert answer.status_code == 400
    assert "no digest" in answer.text


def test_without_an_event_time_a_prediction_speaks_of_its_own_moment(serving: Path, server: Server) -> None:
    ask(server)
    sink = Sink()
    PredictionShipper(serving, sink).ship()

    row = sink.rows("flights")[0]

    assert row["event_at"] == row["recorded_at"]
    assert (row["backdated"], row["entity"]) == (False, None)


def test_each_prediction_is_shipped_once_while_the_server_goes_on(serving: Path, server: Server) -> None:
    sink, ids = Sink(), []
    shipper = PredictionShipper(serving, sink, rows_at_once=10)
    for at in range(60):
        ids += [one["prediction_id"] for one in ask(server)]
        server.http.post("/predict/numbers", json={"rows": [{"a": 1, "b": 2, "c": at}]})
        if at % 7 == 0:
            shipper.ship()
    report = shipper.ship()

    assert [row["prediction_id"] for row in sink.rows("flights")] == ids
    assert [row["in_c"] for row in sink.rows("numbers")] == list(range(60))
    assert shipper.ship() == replace(report, calls=0, rows=0, landings=0, removed_segments=0)
    (folder,) = [path for path in (serving / "predictions").iterdir() if path.is_dir()]
    assert len(segments_of(folder)) == 1  # the one that still grows


@pytest.mark.parametrize("die", ["before", "after"])
def test_a_killed_round_is_repeated_over_the_same_records(serving: Path, server: Server, die: str) -> None:
    """New records arrive between the death and the repetition; they go into a landing of their own."""
    sink = Sink(die=[die])
    first = [one["prediction_id"] for one in ask(server)]
    with pytest.raises(ConnectionError):
        PredictionShipper(serving, sink).ship()
    second = [one["prediction_id"] for one in ask(server)]
    sink.die = []

    PredictionShipper(serving, sink).ship()

    assert [row["prediction_id"] for row in sink.rows("flights")] == first + second
    assert sink.calls[0] == sink.calls[1]
    assert len(sink.landed) == 2


def test_a_dead_servers_log_is_shipped_its_torn_tail_counted_and_its_folder_removed(serving: Path) -> None:
    deploy(serving, "flights", flights_model())
    sink = Sink()
    with start_server(serving) as server:
        ids = [one["prediction_id"] for one in ask(server)]
        server.process.kill()
    (folder,) = [path for path in (serving / "predictions").iterdir() if path.is_dir()]
    with segments_of(folder)[0].open("ab") as segment:
        segment.write(b"\x40\x00\x00\x00torn")

    report = PredictionShipper(serving, sink).ship()

    assert [row["prediction_id"] for row in sink.rows("flights")] == ids
    assert (report.torn_bytes, report.removed_segments) == (8, 1)
    assert not folder.exists()
    assert PredictionShipper(serving, sink).ship().calls == 0


def test_shipping_where_nothing_was_ever_served_is_nothing(serving: Path) -> None:
    assert PredictionShipper(serving, Sink()).ship().calls == 0


def test_a_prediction_replays_identically_from_the_log_and_from_the_archive(serving: Path, server: Server) -> None:
    sink = Sink()
    predictions = Predictions(lambda project: serving, Archive(sink))
    name = PredictionNamed(prediction_id=ask(server, entity="u1")[3]["prediction_id"])
    from_log = predictions.replay(CALLER, name)
    record = predictions.get(CALLER, name)

    server.process.stop()
    PredictionShipper(serving, sink).ship()
    from_archive = predictions.replay(CALLER, name)

    assert (from_log.verdict, from_log.rows, from_log.largest_difference) == ("identical", 4, 0.0)
    assert from_archive == from_log
    assert predictions.get(CALLER, name) == record
    assert record.inputs == {"distance": 1400.0, "dep_hour": 6, "carrier": "ZZ", "holiday": False}
    assert (record.entity, record.row_in_call) == ("u1", 3)


def test_a_prediction_that_was_never_made_is_not_found(serving: Path) -> None:
    predictions = Predictions(lambda project: serving)

    for name in ("pred_01k9m3aaaaaaaaaaaaaaaaaaaa", "nonsense", "run_01k9m3aaaaaaaaaaaaaaaaaaaa"):
        with pytest.raises(PredictionNotFound):
            predictions.get(CALLER, PredictionNamed(prediction_id=name))


def test_replay_says_what_differs(serving: Path, server: Server) -> None:
    ask(server)
    sink = Sink()
    PredictionShipper(serving, sink).ship()
    ((_, table),) = sink.landed.values()
    call = recorded_call(table)
    model = load_model(serving / "models", call.bundle)

    nearly = replay_call(replace(call, scores=call.scores + 1e-9, engine_version="3.0"), model)
    differs = replay_call(replace(call, scores=call.scores + 0.5, threads=4), model)
    other = replay_call(replace(call, bundle="sha256:" + "0" * 64), model)

    assert (nearly.verdict, nearly.largest_difference) == ("within tolerance", pytest.approx(1e-9))
    assert "answered by lightgbm 3.0" in nearly.reason
    assert (differs.verdict, differs.reason) == ("different", "It was answered on 4 threads; this replay ran on 1.")
    assert (other.verdict, other.reason.partition(" (")[0]) == (
        "not reproducible", "This is another model than the one that answered",
    )  # fmt: skip
    with pytest.raises(ValueError, match="not the whole call"):
        recorded_call(table.slice(1))


def test_replay_without_the_model_says_so(serving: Path, server: Server) -> None:
    name = PredictionNamed(prediction_id=ask(server)[0]["prediction_id"])
    for path in (serving / "models").iterdir():
        path.rename(path.with_name("gone-" + path.name))

    answer = Predictions(lambda project: serving).replay(CALLER, name)

    assert answer.verdict == "not reproducible"
    assert "is not in the serving area" in answer.reason


def test_scores_survive_landing_bit_for_bit(serving: Path, server: Server) -> None:
    rng = np.random.default_rng(5)
    rows = [dict(zip("abc", map(float, row), strict=True)) for row in rng.normal(size=(50, 3))]
    scores = [
        one["probability"] for one in server.http.post("/predict/numbers", json={"rows": rows}).json()["predictions"]
    ]
    sink = Sink()
    PredictionShipper(serving, sink).ship()

    landed = sink.rows("numbers")

    assert [row["output"] for row in landed] == scores
    assert [{name: row[f"in_{name}"] for name in "abc"} for row in landed] == rows


def test_a_past_prediction_is_explained_by_the_model_that_made_it(serving: Path, server: Server) -> None:
    prediction = ask(server)[1]["prediction_id"]
    predictions = Predictions(lambda _: serving)

    found = predictions.explain(CALLER, PredictionNamed(prediction_id=prediction))

    record = predictions.get(CALLER, PredictionNamed(prediction_id=prediction))
    whole = found.base + sum(part.adds for part in found.contributions)
    answered = record.outputs[0] if found.scale == "score" else np.log(record.outputs[0] / (1 - record.outputs[0]))
    assert whole == pytest.approx(answered, abs=1e-6)
    assert {part.name: part.value for part in found.contributions} == dict(record.inputs)
    assert [abs(part.adds) for part in found.contributions] == sorted(
        (abs(p.adds) for p in found.contributions), reverse=True
    )
