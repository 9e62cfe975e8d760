"""Steps in worker processes: parallel, watched, ended by force, and never silent about how they died."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kernel.engine import sample_steps as sample
from tests.kernel.engine.engines import opened, rows
from treadle.kernel.engine import load, pipeline, step
from treadle.kernel.engine.declaring import file
from treadle.kernel.engine.errors import InvalidStep, StepExited, StepFailed, StepTimedOut, WorkerDied
from treadle.kernel.engine.service import Engine


@pytest.fixture
def engine(tmp_path: Path):
    with opened(tmp_path) as engine:
        yield engine


def named(engine: Engine, name: str, argument: Any, executor: str = "pool") -> Any:
    return engine.run(sample.named, {"name": name, "argument": argument}, executor=executor)


def logs(engine: Engine) -> str:
    return "".join(content for (content,) in rows(engine, "select content from log_chunk order by run, ordinal"))


def test_a_map_runs_in_workers_and_is_found_again(engine: Engine) -> None:
    run = engine.run(sample.fanned, {"n": 30}, executor="pool")
    again = engine.run(sample.fanned, {"n": 30}, executor="pool")

    assert load(run.value) == sum(range(1, 31))
    assert dict(run.value.metrics) == {"count": 30.0}
    assert again.counts == {"done": 0, "cached": 31, "failed": 0, "asked": 31}
    assert "summing 30" in logs(engine)


def test_a_submitted_step_waits_for_its_inputs_without_blocking_the_body(engine: Engine) -> None:
    assert load(engine.run(sample.chained, {"n": 10}, executor="pool").value) == 11


def test_pool_and_process_share_what_is_known(engine: Engine) -> None:
    engine.run(sample.fanned, {"n": 5})

    assert engine.run(sample.fanned, {"n": 5}, executor="pool").counts["cached"] == 6


@pytest.mark.parametrize("executor", ["inprocess", "pool"])
def test_a_file_that_is_declared_as_an_argument_is_no_undeclared_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("declared", "nested", "other"):
        Path(name).write_text(name)

    @pipeline
    def reading() -> int:
        return sample.measured(file("declared"), [file("nested")], "other")

    with opened(tmp_path / "home") as engine:
        run = engine.run(reading, {}, executor=executor)

    assert (run.status, run.undeclared) == ("done", [str(tmp_path / "other")])


def test_a_killed_worker_is_a_failed_step_that_says_so(engine: Engine) -> None:
    run = named(engine, "killed", 1)

    assert isinstance(run.error, WorkerDied)
    assert "SIGKILL" in run.error.what
    assert load(engine.run(sample.fanned, {"n": 3}, executor="pool").value) == 6


def test_a_worker_that_leaves_is_a_failed_step_that_says_so(engine: Engine) -> None:
    run = named(engine, "leaving", 1)

    assert isinstance(run.error, WorkerDied)
    assert "exit status 7" in run.error.what


def has_ended(pid: int) -> bool:
    """Whether a process that was killed is gone, or waits for nobody but whoever collects it. Within ten seconds."""
    for _ in range(500):
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            process.wait(timeout=0.02)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            continue
    return False


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_a_time_limit_ends_the_work_and_what_it_started(engine: Engine, tmp_path: Path, executor: str) -> None:
    marker = tmp_path / "child"
    began = time.monotonic()

    run = named(engine, "sleeping", str(marker), executor)

    assert isinstance(run.error, StepTimedOut)
    assert time.monotonic() - began < 20
    assert has_ended(int(marker.read_text()))


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_sys_exit_is_a_failed_step(engine: Engine, executor: str) -> None:
    run = named(engine, "exiting", 1, executor)

    assert isinstance(run.error, StepExited)
    assert "sys.exit(3)" in run.error.what


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_a_forked_child_that_comes_back_is_ended_and_the_step_goes_on(engine: Engine, executor: str) -> None:
    run = named(engine, "forking", 1, executor)

    assert run.status == "done"
    assert load(run.value) == 70


def test_binary_output_and_that_of_subprocesses_is_kept_readable(engine: Engine) -> None:
    run = named(engine, "printing_bytes", 1)

    assert run.status == "done"
    assert logs(engine) == "��raw\nfrom a child\n"


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_what_cannot_be_stored_is_named(engine: Engine, executor: str) -> None:
    run = named(engine, "unserialisable", 1, executor)

    assert isinstance(run.error, StepFailed)
    assert "returned something that cannot be kept: builtins.function" in run.error.what


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_retries_are_attempts_of_their_own(engine: Engine, tmp_path: Path, executor: str) -> None:
    run = engine.run(sample.retried, {"counter": str(tmp_path / "n"), "fails": 2}, executor=executor)

    assert load(run.value) == 3
    found = rows(engine, "select attempt, status from run where name = 'flaky' order by attempt")
    assert found == [(1, "failed"), (2, "failed"), (3, "done")]


def test_retries_end(engine: Engine, tmp_path: Path) -> None:
    run = engine.run(sample.retried, {"counter": str(tmp_path / "n"), "fails": 9}, executor="pool")

    assert run.status == "failed"
    assert rows(engine, "select count(*) from run where name = 'flaky'") == [(4,)]


def test_a_checkpoint_survives_the_worker(engine: Engine, tmp_path: Path) -> None:
    run = named(engine, "resuming", str(tmp_path))

    assert load(run.value) == [0, 1, 2, 3]
    assert rows(engine, "select status from run where name = 'resuming' order by attempt") == [("failed",), ("done",)]


@pytest.mark.parametrize("executor", ["pool", "inprocess"])
def test_a_concurrency_limit_holds(engine: Engine, tmp_path: Path, executor: str) -> None:
    run = engine.run(sample.narrow, {"folder": str(tmp_path)}, executor=executor)

    assert run.value == [0, 1, 2, 3]
    assert rows(engine, "select count(*) from slot") == [(0,)]


def test_what_never_fits_is_refused(engine: Engine) -> None:
    run = named(engine, "greedy", 1)

    assert isinstance(run.error, InvalidStep)
    assert "64 GPUs" in run.error.why


def test_a_step_inside_a_function_cannot_go_to_a_worker_and_says_why(engine: Engine) -> None:
    @step
    def hidden(x: int) -> int:
        return x

    @pipeline
    def flow() -> int:
        return hidden(1)

    run = engine.run(flow, {}, executor="pool")

    assert isinstance(run.error, InvalidStep)
    assert "inside of a function" in run.error.why


def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        engine.run(sample.fanned, {"n": 4}, executor="pool")
        pids = engine.executor("pool").worker_pids()  # type: ignore[attr-defined]
        assert pids
        assert os.getpid() not in pids

    for pid in pids:
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
