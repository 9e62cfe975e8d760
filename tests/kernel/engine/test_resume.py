"""An interrupted run goes on: nothing that was finished runs twice, and nobody writes for a run that is not theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.engine.engines import HeldClock, make_engine, opened, rows
from treadle.kernel.engine import load, pipeline, step, use
from treadle.kernel.engine.acts import now, wait_for_approval, wait_for_event, wait_until
from treadle.kernel.engine.errors import LeaseLost, RunCancelled, RunIsHeld, RunNotFound, StepFailed
from treadle.kernel.engine.reporting import idempotency_key
from treadle.kernel.engine.service import Engine
from treadle.kernel.store.sql import parse

REPO = Path(__file__).parents[3]


@pytest.fixture
def engine(tmp_path: Path):
    with opened(tmp_path) as engine, use(engine):
        yield engine


def tally(place: Path, word: str) -> None:
    """Counts calls in a file: a list that a step changes would be seen as a change of its code."""
    with place.open("a") as file:
        file.write(f"{word}\n")


def test_a_failed_run_goes_on_behind_its_last_finished_step(engine: Engine, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @step
    def first() -> int:
        tally(calls, "first")
        return 1

    @step
    def second(x: int) -> int:
        tally(calls, "second")
        if not (tmp_path / "mended").exists():
            raise OSError("not yet")
        return x + 1

    @pipeline
    def flow() -> int:
        return second(first())

    run = engine.run(flow, {})
    (tmp_path / "mended").touch()
    resumed = engine.resume(run.id, flow)

    assert run.status == "failed"
    assert (resumed.id, resumed.status, load(resumed.value)) == (run.id, "done", 2)
    assert calls.read_text().split() == ["first", "second", "second"]
    assert rows(engine, "select attempt, status from run where name = 'second' order by attempt") == [
        (1, "failed"),
        (2, "done"),
    ]


def test_a_finished_run_that_is_looked_at_again_does_not_finish_twice(engine: Engine) -> None:
    """Whoever is started by `run.finished` would be started once more for nothing."""

    @step
    def one() -> int:
        return 1

    @pipeline
    def flow() -> int:
        return one()

    run = engine.run(flow, {})
    again = engine.resume(run.id, flow)
    redone = engine.resume(run.id, flow, from_step="one")

    finished = rows(engine, "select count(*) from event where kind = 'run.finished'")
    assert (again.status, redone.status, finished) == ("done", "done", [(2,)])


def test_a_failure_that_the_body_went_on_from_is_replayed(engine: Engine, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @step
    def refused() -> int:
        tally(calls, "refused")
        raise ValueError("no")

    @step
    def last() -> int:
        if not (tmp_path / "mended").exists():
            raise OSError("not yet")
        return 5

    @pipeline
    def flow() -> int:
        with pytest.raises(StepFailed, match="no"):
            refused()
        return last()

    run = engine.run(flow, {})
    (tmp_path / "mended").touch()

    assert load(engine.resume(run.id, flow).value) == 5
    assert calls.read_text().split() == ["refused"]


def test_an_edited_pipeline_resumes_and_says_what_changed(engine: Engine) -> None:
    def flow(broken: bool, extra: bool) -> Any:
        @step
        def base(n: int) -> int:
            return n

        if broken:

            @step
            def top(n: int) -> int:
                raise ValueError("broken")
        else:

            @step
            def top(n: int) -> int:
                return n * 10

        @pipeline(name="edited")
        def edited() -> int:
            if extra:
                base(99)
            return top(base(1))

        return edited

    run = engine.run(flow(True, False), {})
    resumed = engine.resume(run.id, flow(False, True))

    assert load(resumed.value) == 10
    assert any("edited/top: its code changed" in change for change in resumed.changes)


def test_an_act_happens_once_and_its_answer_is_replayed(engine: Engine, tmp_path: Path) -> None:
    tag = parse("-- name: put\ninsert into tag values ('default', :s, 'k', 'v', 'me', 0)")["put"]

    @step
    def last() -> int:
        if not (tmp_path / "mended").exists():
            raise OSError("not yet")
        return 1

    @pipeline
    def flow() -> list:
        answer = engine.act("promote", lambda tx: {"rows": tx.execute(tag, {"s": "once"})}, params={"name": "m"})
        return [answer, last()]

    run = engine.run(flow, {})
    (tmp_path / "mended").touch()
    resumed = engine.resume(run.id, flow)

    assert resumed.value[0] == {"rows": 1}
    assert rows(engine, "select count(*) from tag where subject = 'once'") == [(1,)]


def test_an_act_that_fails_leaves_nothing(engine: Engine) -> None:
    tag = parse("-- name: put\ninsert into tag values ('default', 'half', 'k', 'v', 'me', 0)")["put"]

    def half(tx: Any) -> None:
        tx.execute(tag)
        raise ValueError("in the middle")

    @pipeline
    def flow() -> None:
        engine.act("promote", half)

    run = engine.run(flow, {})

    assert run.status == "failed"
    assert rows(engine, "select count(*) from tag") == [(0,)]
    assert rows(engine, "select count(*) from run where kind = 'act'") == [(0,)]


def test_an_act_outside_of_pipelines_is_a_run_of_its_own(engine: Engine) -> None:
    assert engine.act("note", lambda tx: {"at": 1}, params={"x": 2}) == {"at": 1}
    assert rows(engine, "select kind, status, params from run") == [("act", "done", '{"x":2}')]


def test_a_zombie_commits_nothing(engine: Engine, tmp_path: Path) -> None:
    stolen = parse("-- name: steal\nupdate run set epoch = epoch + 1 where kind = 'pipeline'")["steal"]

    @step
    def slow(n: int) -> int:
        engine.store.write(lambda tx: tx.execute(stolen))
        return n

    @pipeline
    def flow() -> int:
        return slow(1)

    run = engine.run(flow, {})

    assert run.status == "lost"
    assert isinstance(run.error, LeaseLost)
    assert rows(engine, "select status from run where name = 'slow'") == [("running",)]
    assert rows(engine, "select count(*) from event where kind = 'step.finished'") == [(0,)]


def test_a_run_that_is_alive_cannot_be_resumed(engine: Engine) -> None:
    found: list[BaseException] = []

    @step
    def asking(n: int) -> int:
        ((run,),) = rows(engine, "select id from run where kind = 'pipeline'")
        with pytest.raises(RunIsHeld) as caught:
            make_engine(engine.store.path.parent).resume(run, flow)  # type: ignore[attr-defined]
        found.append(caught.value)
        return n

    @pipeline
    def flow() -> int:
        return asking(1)

    assert flow().status == "done"
    assert str(os.getpid()) in found[0].what  # type: ignore[attr-defined]


def test_resuming_what_does_not_exist_says_so(engine: Engine) -> None:
    @pipeline
    def flow() -> int:
        return 1

    with pytest.raises(RunNotFound):
        engine.resume("run_nothing", flow)


def test_a_lease_lasts_as_long_as_the_engine_says_and_is_renewed_by_the_heartbeat(tmp_path: Path) -> None:
    seen: list[int] = []

    with opened(tmp_path, beat_s=0.01, lease_s=0.3) as engine:

        @step(cache=False)
        def slow(n: int) -> int:
            while len(seen) < 2:
                for until, started in rows(engine, "select lease_until, started_at from run where kind = 'pipeline'"):
                    if until - started not in seen:
                        seen.append(until - started)
                time.sleep(0.01)
            return n

        @pipeline
        def flow() -> int:
            return slow(1)

        assert engine.run(flow, {}).status == "done"

    assert 200_000 < seen[0] < seen[1] < 10_000_000


def test_cancelling_interrupts_a_body_that_runs_here(tmp_path: Path) -> None:
    with opened(tmp_path, beat_s=0.02) as engine:
        began = threading.Event()

        @step
        def endless(n: int) -> int:
            began.set()
            while True:
                time.sleep(0.001)

        @pipeline
        def flow() -> int:
            return endless(1)

        def cancel() -> None:
            began.wait(10)
            ((run,),) = rows(engine, "select id from run where kind = 'pipeline'")
            assert engine.cancel(run, reason="enough")

        other = threading.Thread(target=cancel)
        other.start()
        run = engine.run(flow, {})
        other.join()

        assert run.status == "cancelled"
        assert isinstance(run.error, RunCancelled)
        assert rows(engine, "select status from run where name = 'endless'") == [("cancelled",)]
        assert engine.cancel(run.id) is False


def test_a_run_waits_without_a_process_and_goes_on_with_the_answer(engine: Engine, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @step
    def before() -> int:
        tally(calls, "before")
        return 1

    @pipeline
    def asked() -> list:
        made = before()
        return [load(made), wait_for_approval("model m1", request={"auc": 0.9})]

    run = engine.run(asked, {})
    still = engine.resume(run.id, asked)
    ((wait, request),) = rows(engine, "select run, request from waiting")
    assert engine.answer(wait, {"approved": True}, actor="ada")
    assert not engine.answer(wait, {"approved": False})
    resumed = engine.resume(run.id, asked)

    assert (run.status, still.status) == ("waiting", "waiting")
    assert request == '{"auc":0.9}'
    assert resumed.value == [1, {"approved": True}]
    assert calls.read_text().split() == ["before"]


def test_waiting_for_a_time_ends_when_it_has_come(tmp_path: Path) -> None:
    clock = HeldClock()
    with opened(tmp_path, clock=clock) as engine:

        @pipeline
        def later() -> str:
            wait_until(timedelta(hours=2))
            return "done"

        run = engine.run(later, {})
        clock.move(hours=3)

        assert run.status == "waiting"
        assert engine.resume(run.id, later).value == "done"


def test_now_is_recorded_and_the_same_on_resume(tmp_path: Path) -> None:
    clock = HeldClock()
    with opened(tmp_path, clock=clock) as engine:
        seen: list[datetime] = []

        @pipeline
        def timed() -> None:
            seen.append(now())
            wait_for_event("dataset.landed", "dataset/flights")

        run = engine.run(timed, {})
        clock.move(days=1)
        engine.resume(run.id, timed)
        past = engine.run(timed, {}, now=datetime(2013, 1, 1, tzinfo=UTC))

        assert seen[0] == seen[1]
        assert seen[2] == datetime(2013, 1, 1, tzinfo=UTC)
        assert past.status == "waiting"


def test_an_interruption_by_the_keyboard_is_recorded_and_resumed(engine: Engine, tmp_path: Path) -> None:
    @step
    def interrupted() -> int:
        if not (tmp_path / "mended").exists():
            raise KeyboardInterrupt
        return 3

    @pipeline
    def flow() -> int:
        return interrupted()

    with pytest.raises(KeyboardInterrupt):
        engine.run(flow, {})
    ((run, status),) = rows(engine, "select id, status from run where kind = 'pipeline'")
    (tmp_path / "mended").touch()

    assert status == "interrupted"
    assert load(engine.resume(run, flow).value) == 3


def test_the_idempotency_key_is_the_same_for_every_attempt(engine: Engine) -> None:
    keys: list[str] = []

    @step(retries=1, backoff_s=0)
    def outward() -> int:
        keys.append(idempotency_key())
        if len(keys) == 1:
            raise OSError("again")
        return 1

    @pipeline
    def flow() -> int:
        return outward()

    run = flow()

    assert keys == [f"{run.id}/flow/outward"] * 2


def test_a_backfill_is_one_run_for_each_value_and_computes_nothing_twice(engine: Engine) -> None:
    @step
    def month(n: int) -> int:
        return n

    @pipeline
    def monthly(n: int) -> int:
        return month(n)

    monthly(2)

    runs = engine.backfill(monthly, "n", [1, 2, 3])

    assert [load(run.value) for run in runs] == [1, 2, 3]
    assert [run.counts["cached"] for run in runs] == [0, 1, 0]


SCRIPT = """
import os, sys
sys.path.insert(0, {repo!r})
from pathlib import Path
from tests.kernel.engine.engines import make_engine
from treadle.kernel.engine import each, pipeline, step

@step
def marked(n: int, folder: str) -> int:
    with open(f"{{folder}}/calls", "a") as file:
        file.write(f"{{n}}\\n")
    if n == 12 and not os.path.exists(f"{{folder}}/died"):
        open(f"{{folder}}/died", "w").close()
        os.kill(os.getpid() if {here} else os.getppid(), 9)
    return n

@pipeline
def crashing(folder: str) -> int:
    done = []
    for n in range(20):
        done.append(marked(n, folder))
    return done

if __name__ == "__main__":
    engine = make_engine(Path({home!r}))
    if len(sys.argv) > 1:
        run = engine.resume(sys.argv[1], crashing)
    else:
        run = engine.run(crashing, {{"folder": {home!r}}})
    print(run.status, run.counts["done"], run.counts["cached"])
    engine.close()
"""


def test_kill_9_inside_a_step_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    script = tmp_path / "crash.py"
    script.write_text(textwrap.dedent(SCRIPT.format(repo=str(REPO), home=str(tmp_path), here=True)))

    first = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    with opened(tmp_path) as engine:
        ((run, status),) = rows(engine, "select id, status from run where kind = 'pipeline'")
    second = subprocess.run([sys.executable, str(script), run], capture_output=True, text=True, timeout=60)

    assert first.returncode == -signal.SIGKILL
    assert status == "running"
    assert second.stdout.strip() == "done 8 12", second.stderr
    calls = [int(line) for line in (tmp_path / "calls").read_text().split()]
    assert sorted(calls) == sorted([*range(20), 12])
    with opened(tmp_path) as engine:
        assert engine.events.verify("default").broken is None
        found = rows(engine, "select status, count(*) from run where kind = 'step' group by status order by status")
        assert found == [("done", 20), ("interrupted", 1)]


def test_a_map_that_is_killed_resumes_with_what_was_committed(tmp_path: Path) -> None:
    text = textwrap.dedent(SCRIPT.format(repo=str(REPO), home=str(tmp_path), here=True))
    text = text.replace(
        "for n in range(20):\n        done.append(marked(n, folder))", "done = marked.map(each(range(20)), folder)"
    )
    script = tmp_path / "crash.py"
    script.write_text(text)

    subprocess.run([sys.executable, str(script)], capture_output=True, timeout=60)
    with opened(tmp_path) as engine:
        ((run,),) = rows(engine, "select id from run where kind = 'pipeline'")
        ((finished,),) = rows(engine, "select count(*) from run where kind = 'step' and status = 'done'")
    second = subprocess.run([sys.executable, str(script), run], capture_output=True, text=True, timeout=60)

    assert second.stdout.strip() == f"done {20 - finished} {finished}", second.stderr


def test_a_script_runs_its_steps_in_workers_from_a_bundle(tmp_path: Path) -> None:
    """`__main__` is never imported by a worker: its module-level code runs once."""
    script = tmp_path / "train_it.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(REPO)!r})
        from pathlib import Path
        from tests.kernel.engine.engines import make_engine
        from treadle.kernel.engine import each, load, pipeline, step
        from treadle.kernel.engine.code_store import bundler

        OFFSET = 100

        def helper(n):
            return n + OFFSET

        @step
        def moved(n: int) -> int:
            assert __name__ != "__main__"
            return helper(n)

        @pipeline
        def scripted():
            return moved.map(each([1, 2]))

        if __name__ == "__main__":
            engine = make_engine(Path({str(tmp_path)!r}))
            engine._bundler = bundler(engine.artifacts, Path({str(tmp_path)!r}))
            print(load(engine.run(scripted, {{}}, executor="pool").value))
            engine.close()
        """)
    )

    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert found.stdout.strip() == "[101, 102]", found.stderr
