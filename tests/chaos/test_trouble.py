"""When the world gives way: full disks, servers that stop, bodies that end the process. A clear error, and a way on.

What a store, a blob store or the pool does alone is tested beside it (`tests/kernel`); here it happens to a run.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.architecture.tree import ROOT
from tests.chaos import house as houses
from tests.chaos import steps, witness
from tests.chaos.house import House
from treadle.backends.postgres import open_postgres
from treadle.kernel.engine import load
from treadle.kernel.engine.errors import StepFailed, UnserialisableResult, WorkerDied
from treadle.kernel.store import DiskFull, StoreUnreachable
from treadle.migrations import schema
from treadle.testing.postgres import postgres_database, server_url


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "witness"))
    found = houses.use(House(tmp_path))
    yield found
    found.close()


@contextlib.contextmanager
def files_no_larger_than(count: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: what a full disk or a quota feels like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_no_room_for_a_result_fails_the_step_with_a_way_on_and_the_run_resumes(house: House) -> None:
    with files_no_larger_than(10_000_000):
        run = house.engine.run(steps.keeping, {"megabytes": 16})

    assert run.status == "failed"
    assert isinstance(run.error, StepFailed)
    assert "no room left" in run.error.what
    assert "Nothing was stored" in run.error.why
    assert "treadle gc" in run.error.fix
    assert list(house.home.joinpath("artifacts", "tmp").iterdir()) == []
    again = house.engine.resume(run.id, steps.keeping)
    assert len(load(again.value)) == 16_000_000


def test_no_room_for_rows_says_so_and_the_run_resumes(house: House) -> None:
    size = house.home.joinpath("treadle.db-wal").stat().st_size

    with files_no_larger_than(size + 400_000):
        run = house.engine.run(steps.many, {"n": 40})

    assert run.status == "failed"
    assert isinstance(run.error, DiskFull), run.error
    assert "Nothing that was acknowledged is lost" in run.error.why
    done = house.rows("select count(*) from run where status = 'done'")[0][0]
    assert 0 < done < 40
    again = house.engine.resume(run.id, steps.many)
    assert again.status == "done"
    assert again.counts["cached"] >= done
    assert house.events.verify(houses.PROJECT).broken is None


def test_a_port_where_nobody_listens_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable) as refused:
        open_postgres("postgresql://ada:secret@127.0.0.1:1/treadle", schema())

    assert "127.0.0.1:1" in refused.value.what
    assert "secret" not in "".join(refused.value.sentences())
    assert "TREADLE_STORE" in refused.value.fix


def test_a_database_that_stops_in_the_middle_of_a_run_is_said_and_the_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "witness"))
    with postgres_database() as url:
        found = houses.use(House(tmp_path, url))
        with psycopg.connect(url) as connection:
            name = connection.info.dbname

        def stop() -> None:
            with psycopg.connect(server_url(), autocommit=True) as server:
                server.execute(f'alter database "{name}" allow_connections false')
                server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))

        monkeypatch.setattr(steps, "in_the_middle", stop)
        run = found.engine.run(steps.stopping, {"n": 1})

        assert run.status == "failed"
        assert isinstance(run.error, StoreUnreachable)
        assert "what was acknowledged is safe" in run.error.fix
        assert any("could not be recorded" in note for note in run.error.__notes__)
        with psycopg.connect(server_url(), autocommit=True) as server:
            server.execute(f'alter database "{name}" allow_connections true')
        monkeypatch.setattr(steps, "in_the_middle", lambda: None)
        found.engine.clock = steps.later
        again = found.engine.resume(run.id, steps.stopping)
        assert (again.status, load(again.value)) == ("done", 3)
        assert again.counts["cached"] == 1
        found.close()


@pytest.mark.parametrize("executor", ["inprocess", "pool"])
def test_ctrl_c_in_a_body_ends_the_run_as_interrupted_or_the_step_as_failed_and_it_resumes(
    house: House, executor: str
) -> None:
    marker = house.home / "second"
    if executor == "inprocess":
        with pytest.raises(KeyboardInterrupt):
            house.engine.run(steps.interrupted, {"marker": str(marker)}, executor=executor)
    else:
        run = house.engine.run(steps.interrupted, {"marker": str(marker)}, executor=executor)
        assert isinstance(run.error, StepFailed)
        assert "KeyboardInterrupt" in run.error.what
    ((id, status),) = house.rows("select id, status from run where parent is null")

    assert status == ("interrupted" if executor == "inprocess" else "failed")
    assert house.rows("select count(*) from run where status = 'running'") == [(0,)]
    marker.touch()
    assert house.engine.resume(id, steps.interrupted, executor=executor).status == "done"


_LEAVES = """
import sys
from pathlib import Path
from tests.chaos import steps
from tests.chaos.house import House
house = House(Path(sys.argv[1]))
house.engine.run(steps.leaving_at_once, {"marker": sys.argv[1] + "/second"})
"""


def test_os_exit_in_a_body_of_this_process_leaves_a_run_that_resumes(house: House) -> None:
    done = subprocess.run([sys.executable, "-c", _LEAVES, str(house.home)], cwd=ROOT, check=False)
    assert done.returncode == 7
    ((id,),) = house.rows("select id from run where parent is null and status = 'running'")

    (house.home / "second").touch()

    assert house.engine.resume(id, steps.leaving_at_once).status == "done"


@pytest.mark.parametrize("executor", ["inprocess", "pool"])
def test_binary_output_harms_nobody(house: House, executor: str) -> None:
    run = house.engine.run(steps.printed_bytes, {}, executor=executor)

    assert run.status == "done"
    text = "".join(content for (content,) in house.rows("select content from log_chunk order by run, ordinal"))
    assert "�" in text
    assert "after" in text


def test_nul_bytes_in_a_log_and_in_an_error_reach_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's text cannot hold them, and a step's words are not ours to refuse."""
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "witness"))
    with postgres_database() as url:
        found = houses.use(House(tmp_path, url))
        run = found.engine.run(steps.nul, {})

        assert run.status == "failed"
        assert isinstance(run.error, StepFailed)
        assert found.rows("select status from run where parent is null") == [("failed",)]
        assert "nul" in found.rows("select content from log_chunk")[0][0]
        found.close()


@pytest.mark.parametrize("executor", ["inprocess", "pool"])
@pytest.mark.parametrize("kind", ["generator", "lock", "open file", "itself"])
def test_what_cannot_be_kept_is_said_with_a_way_out(house: House, kind: str, executor: str) -> None:
    run = house.engine.run(steps.returned, {"kind": kind}, executor=executor)

    assert run.status == "failed"
    assert isinstance(run.error, StepFailed)
    assert run.error.context["kind"].endswith(UnserialisableResult.__name__)
    assert run.error.fix


def test_a_step_that_closes_every_file_of_its_worker_is_a_dead_worker(house: House) -> None:
    run = house.engine.run(steps.closed_files, {}, executor="pool")

    assert isinstance(run.error, WorkerDied)
    assert house.engine.run(steps.many, {"n": 2}, executor="pool").status == "done"


def test_a_step_that_writes_garbage_to_every_file_of_its_worker_harms_its_own_run_alone(house: House) -> None:
    run = house.engine.run(steps.garbled_files, {}, executor="pool")

    assert run.status in ("failed", "done")
    assert house.engine.run(steps.many, {"n": 2}, executor="pool").status == "done"


def test_a_worker_s_parent_that_is_killed_is_replaced(house: House) -> None:
    assert house.engine.run(steps.many, {"n": 2}, executor="pool").status == "done"
    pool = house.engine.executor("pool")
    os.kill(pool._zygote.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    killed = set(pool.worker_pids())  # type: ignore[attr-defined]
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while killed & set(pool.worker_pids()):  # type: ignore[attr-defined]
        os.sched_yield()  # until the pool has seen it: a step that is handed to the dying is a failed attempt

    assert house.engine.run(steps.many, {"n": 5}, executor="pool").status == "done"
