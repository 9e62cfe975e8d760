"""Several workers on one port are looked after: one that dies is replaced, one signal stops them all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.systems.serve import ServerProcess
from treadle.systems.serve.errors import ServerDidNotStart
from treadle.systems.serve.runtime.documents import Limits
from treadle.systems.serve.runtime.errors import TooManyRequests
from treadle.systems.serve.runtime.log import segments_of
from treadle.systems.serve.runtime.rates import Rates

ROW = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}


def children(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait_for(is_so: Callable[[], bool], timeout_s: float = 20) -> None:
    ends_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to be"
        os.sched_yield()


def answers(url: str, count: int) -> list[int]:
    return [httpx.post(f"{url}/predict/numbers", json=ROW).status_code for _ in range(count)]


def test_workers_share_a_port_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))

    with start_server(tmp_path, arguments=("--workers", "2")) as server:
        supervisor = server.process.process.pid
        before = children(supervisor)
        first = answers(server.process.url, 30)
        os.kill(min(before), signal.SIGKILL)
        wait_for(lambda: len(children(supervisor) - {min(before)}) == 2)
        after = children(supervisor)
        rest = answers(server.process.url, 10)
        status = server.process.stop()

    assert len(before) == 2
    assert after - before
    assert first + rest == [200] * 40
    assert status == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in after)
    assert sum(bool(segments_of(folder)) for folder in (tmp_path / "predictions").iterdir()) >= 2


def test_workers_that_cannot_start_are_not_started_again(tmp_path: Path) -> None:
    with pytest.raises(ServerDidNotStart) as refused:
        ServerProcess.start(tmp_path, host="0.0.0.0", arguments=("--workers", "2"))

    assert "A worker ended with status 2 while it started." in refused.value.why


def test_a_rate_is_kept_by_all_workers_together() -> None:
    limits = Limits(requests_per_s=10, burst=10)
    workers = [Rates(lambda: 0.0, parts=2) for _ in range(2)]

    taken = 0
    for worker in workers:
        for _ in range(20):
            try:
                worker.take("numbers", b"me", limits)
                taken += 1
            except TooManyRequests:
                break

    assert taken == 10
