"""Answers leave after their records: no prediction's id is told whose record is not written."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.systems.serve.test_log import make_call, make_context, read_calls
from treadle.systems.serve.runtime.errors import LogFailed
from treadle.systems.serve.runtime.leaving import Answer, Leaving
from treadle.systems.serve.runtime.log import PredictionLog

ANSWER: Answer = (200, [], b"a prediction")
REFUSAL: Answer = (503, [], b"refused")


class Client:
    """Notes what it is sent, and how many calls the log held by then."""

    def __init__(self, log: PredictionLog) -> None:
        self._log = log
        self.heard: list[tuple[Answer, int]] = []

    def send_now(self, answer: Answer) -> None:
        self.heard.append((answer, self._log.figures.written_calls))


def answer_three(log: PredictionLog) -> list[tuple[Answer, int]]:
    """Two predictions around an answer without a record, in one turn of a loop."""
    client = Client(log)

    async def turn() -> None:
        leaving = Leaving(log, lambda error: REFUSAL)
        log.is_gathering = True
        for has_record in (True, False, True):
            if has_record:
                log.append(make_context(), make_call())
            leaving.add(client, ANSWER, has_record=has_record)
        assert client.heard == []
        await asyncio.sleep(0)

    asyncio.run(turn())
    return client.heard


def test_all_records_of_a_turn_are_written_before_its_first_answer(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "srv_1")

    heard = answer_three(log)
    log.close()

    assert heard == [(ANSWER, 2)] * 3
    assert len(read_calls(tmp_path / "srv_1")) == 2


def test_where_the_records_cannot_be_written_only_answers_without_one_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(tmp_path / "srv_1")
    log.append(make_context(), make_call())

    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        heard = [answer for answer, _ in answer_three(log)]
    log.close()

    assert heard == [REFUSAL, ANSWER, REFUSAL]
    assert len(read_calls(tmp_path / "srv_1")) == 1


@pytest.mark.parametrize("is_written_at_once", [True, False], ids=["by a call written at once", "by a segment's end"])
def test_records_that_were_lost_before_their_turn_ended_refuse_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_written_at_once: bool
) -> None:
    """The disk is full when something else has the gathered records written, and has room again when the turn ends."""
    log = PredictionLog(tmp_path / "srv_1")
    client = Client(log)

    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    async def turn() -> None:
        leaving = Leaving(log, lambda error: REFUSAL)
        log.append(make_context(), make_call())
        log.is_gathering = True
        log.append(make_context(), make_call())
        leaving.add(client, ANSWER, has_record=True)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            log.is_gathering = not is_written_at_once
            log._segment_bytes = 64 << 20 if is_written_at_once else 1
            with pytest.raises(LogFailed):
                log.append(make_context(), make_call())
        log.is_gathering, log._segment_bytes = True, 64 << 20
        log.append(make_context(), make_call())
        leaving.add(client, ANSWER, has_record=True)
        await asyncio.sleep(0)

    asyncio.run(turn())
    log.is_gathering = False
    log.append(make_context(), make_call())
    log.close()

    assert [answer for answer, _ in client.heard] == [REFUSAL, REFUSAL]
    assert len(read_calls(tmp_path / "srv_1")) == 2
    assert log.figures.refused == 3
