"""The prediction log: what was appended is read back; torn ends are cut, damage is named, and a full disk is an answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.systems.serve.runtime.errors import DamagedLog, LogFailed, LogFull
from treadle.systems.serve.runtime.log import (
    Call,
    Context,
    LoggedColumn,
    PredictionLog,
    SegmentReader,
    find_call,
    segments_of,
)
from treadle.systems.serve.runtime.log.writer import is_held
from treadle.systems.serve.runtime.prediction_ids import PredictionIds, number_of, texts

IDS = PredictionIds()


def make_context(number: int = 1, endpoint: str = "flights") -> Context:
    return Context(
        number=number, server="srv_1", endpoint=endpoint, revision="rev_1", revision_number=1, model="m", model_version="1",
        model_digest="sha256:0", bundle="sha256:1", engine="lightgbm", engine_version="4", threads=1, width=1,
        columns=(LoggedColumn("a", "FP64"), LoggedColumn("b", "BYTES", ("x", "y"))),
    )  # fmt: skip


def make_call(rows: int = 2, context: int = 1, **given: Any) -> Call:
    return Call(
        context=context, first_id=IDS.take(rows).to_bytes(16, "big"), rows=rows, recorded_at=1_700_000_000_000_000,
        latency_us=12, matrix=np.arange(rows * 2.0).tobytes(), scores=np.linspace(0, 1, rows).tobytes(), **given,
    )  # fmt: skip


def write_calls(folder: Path, *calls: Call, **settings: Any) -> None:
    log = PredictionLog(folder, **settings)
    for call in calls:
        log.append(make_context(call.context), call)
    log.close()


def read_calls(folder: Path) -> list[Call]:
    return [logged.call for path in segments_of(folder) for logged in SegmentReader(path).calls()]


def test_calls_come_back_as_they_were_appended(tmp_path: Path) -> None:
    calls = [
        make_call(3, entity=["u1", "u2", "u3"], event_at=[1, 2, 3], request_id="r", unit="u"),
        make_call(1, context=2, unknown=[(0, 1, "z")], feature_as_of=[5]),
    ]

    write_calls(tmp_path / "srv_1", *calls)

    assert read_calls(tmp_path / "srv_1") == calls


def test_every_segment_can_be_read_on_its_own(tmp_path: Path) -> None:
    calls = [make_call(context=1 + at % 2) for at in range(40)]

    write_calls(tmp_path / "srv_1", *calls, segment_bytes=1000)

    segments = segments_of(tmp_path / "srv_1")
    assert len(segments) > 3
    assert [one.call for path in segments for one in SegmentReader(path).calls()] == calls


def test_an_old_segment_is_left_for_a_new_one(tmp_path: Path) -> None:
    now = [0.0]
    log = PredictionLog(tmp_path / "srv_1", segment_s=60, monotonic=lambda: now[0])
    log.append(make_context(), make_call())
    now[0] = 61.0
    log.append(make_context(), make_call())
    log.close()

    assert [len(list(SegmentReader(path).calls())) for path in segments_of(tmp_path / "srv_1")] == [1, 1]


def test_a_tail_torn_at_any_byte_is_cut_and_nothing_before_it_is_lost(tmp_path: Path) -> None:
    calls = [make_call(), make_call()]
    write_calls(tmp_path / "srv_1", *calls)
    (path,) = segments_of(tmp_path / "srv_1")
    whole = path.read_bytes()
    ends = [logged.end for logged in SegmentReader(path).calls()]

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        reader = SegmentReader(path)
        found = [logged.call for logged in reader.calls()]

        assert found == calls[: sum(end <= length for end in ends)]
        assert reader.end + reader.torn_bytes == length


def test_a_flipped_bit_is_named_and_what_follows_is_read(tmp_path: Path) -> None:
    calls = [make_call() for _ in range(3)]
    write_calls(tmp_path / "srv_1", *calls)
    (path,) = segments_of(tmp_path / "srv_1")
    ends = [logged.end for logged in SegmentReader(path).calls()]
    data = bytearray(path.read_bytes())
    data[ends[1] - 3] ^= 1
    path.write_bytes(data)

    reader = SegmentReader(path)

    assert [logged.call for logged in reader.calls()] == [calls[0], calls[2]]
    assert reader.damaged == [ends[0]]


def test_a_file_that_is_no_segment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.seg").write_bytes(b"something else entirely")

    with pytest.raises(DamagedLog, match="is no segment"):
        list(SegmentReader(tmp_path / "1.seg").calls())


def test_a_used_up_budget_refuses_before_the_model_is_asked(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1", budget_bytes=600)
    accepted = 0
    while log.held_bytes < 600:
        log.admit()
        log.append(make_context(), make_call())
        accepted += 1
    with pytest.raises(LogFull, match="budget of 600 bytes"):
        log.admit()
    refused = log.figures.refused
    log.close()

    assert (len(read_calls(tmp_path / "srv_1")), refused) == (accepted, 1)
    with pytest.raises(LogFull):  # what another server of the area holds counts as well
        PredictionLog(tmp_path / "srv_2", budget_bytes=600).admit()


def test_a_failed_write_leaves_nothing_behind_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills in the middle of a record: the half that was written is taken back."""
    log = PredictionLog(tmp_path / "srv_1")
    first, lost, last = make_call(), make_call(), make_call()
    log.append(make_context(), first)
    real = os.write
    room = [20]

    def narrow(descriptor: int, data: Any) -> int:
        if room[0] == 0:
            raise OSError(28, "No space left on device")
        taken = real(descriptor, bytes(data[: room[0]]))
        room[0] -= taken
        return taken

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", narrow)
        with pytest.raises(LogFailed, match="No space left on device"):
            log.append(make_context(), lost)
    log.append(make_context(), last)
    log.close()

    assert read_calls(tmp_path / "srv_1") == [first, last]


def test_what_is_gathered_is_written_at_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = PredictionLog(tmp_path / "srv_1")
    calls = [make_call(context=1 + at % 2) for at in range(6)]
    log.append(make_context(), calls[0])
    writes = []
    monkeypatch.setattr(os, "write", lambda to, data, write=os.write: writes.append(len(data)) or write(to, data))

    log.is_gathering = True
    for call in calls[1:5]:
        log.append(make_context(call.context), call)
    assert (log.gathered_calls, writes, log.figures.written_calls) == (4, [], 1)
    log.is_gathering = False
    log.append(make_context(calls[5].context), calls[5])  # nothing overtakes what was gathered
    log.close()

    assert len(writes) == 2
    assert read_calls(tmp_path / "srv_1") == calls
    assert log.figures.written_calls == 6


def test_what_is_gathered_is_written_before_its_segment_is_closed(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1", segment_bytes=200)
    log.is_gathering = True
    calls = [make_call() for _ in range(8)]
    for call in calls:
        log.append(make_context(), call)
        log.flush()
    log.append(make_context(), calls[0])
    log.close()

    assert len(segments_of(tmp_path / "srv_1")) > 1
    assert read_calls(tmp_path / "srv_1") == [*calls, calls[0]]


def test_a_failed_flush_loses_what_was_gathered_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(tmp_path / "srv_1")
    first, last = make_call(), make_call(context=2)
    log.append(make_context(), first)
    log.is_gathering = True
    log.append(make_context(2), make_call(context=2))
    log.append(make_context(), make_call())

    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(LogFailed, match="No space left on device"):
            log.flush()
    log.append(make_context(2), last)  # its context is told again: the first time was lost
    log.flush()
    log.close()

    assert read_calls(tmp_path / "srv_1") == [first, last]
    assert (log.figures.refused, log.figures.written_calls) == (2, 2)


def test_everything_is_on_the_disk_after_closing(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1")
    log.append(make_context(), make_call())
    log.close()

    assert log.figures.synced_bytes == log.figures.written_bytes == segments_of(tmp_path / "srv_1")[0].stat().st_size


def test_a_living_log_is_told_from_a_dead_one(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1")

    assert is_held(tmp_path / "srv_1")
    log.close()
    assert not is_held(tmp_path / "srv_1")


def test_a_prediction_is_found_by_its_id(tmp_path: Path) -> None:
    calls = [make_call(3) for _ in range(4)]
    write_calls(tmp_path / "srv_1", *calls[:2])
    write_calls(tmp_path / "srv_2", *calls[2:])

    found = find_call(tmp_path, calls[2].prediction_ids[1])

    assert found is not None
    assert found.call == calls[2]
    assert find_call(tmp_path, texts(IDS.take(1), 1)[0]) is None
    with pytest.raises(ValueError):
        find_call(tmp_path, "run_01k9")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2000)), min_size=1, max_size=20))
def test_ids_rise_and_never_meet_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    now = [1_700_000_000_000]
    ids = PredictionIds(millis=lambda: now[0])
    seen: list[str] = []
    for forward, rows in steps:
        now[0] += forward - 1
        first = ids.take(rows)
        block = texts(first, rows)
        assert number_of(block[-1]) == first + rows - 1
        seen += block

    assert seen == sorted(set(seen))


def test_with_sampling_ever_fewer_calls_are_recorded_and_the_others_are_counted(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1", budget_bytes=40_000, when_full="sample")
    for _ in range(2000):
        log.admit()
        log.append(make_context(), make_call())
    log.close()

    kept = read_calls(tmp_path / "srv_1")
    assert log.figures.written_calls == len(kept)
    assert log.figures.dropped_rows == 2 * (2000 - len(kept)) > 0
    assert 0.85 * 40_000 < log.figures.written_bytes <= 40_200
    assert log.figures.refused == 0


def test_what_a_shipper_has_landed_is_told_across_segments(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1", segment_bytes=600)
    for _ in range(20):
        log.append(make_context(), make_call())
    first, second = (path.stat().st_size for path in segments_of(tmp_path / "srv_1")[:2])

    def told(text: str) -> int:
        (tmp_path / "shipped.json").write_text(text)
        log._recount()
        return log.figures.shipped_bytes

    assert told('{"done": {}}') == 0
    assert told('{"done": {"srv_1": {"segment": "00000001.seg", "offset": 100}}, "until": null}') == 100
    whole = json.dumps({"done": {"srv_1": {"segment": "00000002.seg", "offset": second}}})
    assert told(whole) == first + second
    assert told("torn") == 0
    log.close()
