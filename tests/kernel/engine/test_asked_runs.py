"""What people ask of pipelines and runs through verbs: it becomes one run of the published code, in another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kernel.engine.engines import HeldClock, opened, rows
from tests.kernel.engine.test_scheduler import OPENER, REPO, Noted
from treadle.ground.clock import to_micros
from treadle.ground.errors import Conflict
from treadle.kernel.catalog.service import ListRuns, RunNamed, Runs
from treadle.kernel.engine import Limits, leases, on_event, pipeline, step
from treadle.kernel.engine.acts import wait_for_approval
from treadle.kernel.engine.errors import CodeUnusable, ParametersWrong, PipelineNotFound, RunIsHeld, WaitNotFound
from treadle.kernel.engine.leases import take_over
from treadle.kernel.engine.pipeline_service import PipelineNamed, Pipelines, PlanRun, RunPipeline
from treadle.kernel.engine.plan_process import PlanProcess
from treadle.kernel.engine.planner import Question, answered
from treadle.kernel.engine.publishing import publish
from treadle.kernel.engine.run_service import AnswerWait, CancelRun, ResumeRun, RunControl, StoryOf
from treadle.kernel.engine.runner import fire
from treadle.kernel.engine.scheduler import Scheduler
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.trigger_service import PauseTriggers, TriggerNotFound, TriggerOf, Triggers
from treadle.kernel.governance import Caller, PermissionDenied

CAROL = Caller(project="default", actor="carol")
TRACKER = Caller(project="default", actor="bot", permissions=frozenset({"run.*", "*.read"}))
is_broken = True


@step
def doubled(n: int) -> int:
    return n * 2


@step
def shaky(n: int) -> int:
    if is_broken:
        raise ValueError("not today")
    return n


@pipeline(schedule="0 3 * * *", triggers=[on_event("thing.happened")], limits=Limits(cool_down_s=1e9))
def sums(n: int, times: float = 1.0, since: datetime | None = None) -> int:
    return shaky(doubled(n))  # type: ignore[no-any-return]


@pipeline
def asks() -> bool:
    return wait_for_approval("may it?")  # type: ignore[no-any-return]


class Here(PlanProcess):
    """Asks the code in this process: what a process of its own adds is tried with one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        super().__init__(engine, "", folder=Path(), environment={})

    def _answer(self, project: str, publication: object, question: Question) -> object:  # type: ignore[override]
        return answered(self.engine, question)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(datetime(2026, 3, 1, 2, 30, tzinfo=UTC))


@pytest.fixture
def engine(tmp_path: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(sys.modules[__name__], "is_broken", False)
    with opened(tmp_path, clock=clock) as engine:
        publish(engine, [sums, asks], tmp_path)
        yield engine


@pytest.fixture
def pipelines(engine: Engine) -> Pipelines:
    return Pipelines(engine, Here(engine))


def carried_out(engine: Engine) -> list[str]:
    """Every firing that a scheduler's look starts is carried out here; answers their runs."""
    return [fire(engine, firing.id).id for firing in Scheduler(engine, Noted()).tick()]


def test_a_run_that_is_asked_for_has_its_parameters_seed_and_asker(engine: Engine, pipelines: Pipelines) -> None:
    asked = RunPipeline(pipeline="sums", parameters={"n": 4, "since": "2026-01-02T00:00:00Z"}, seed=7, reason="to see")
    firing = pipelines.run(CAROL, asked)

    (run,) = carried_out(engine)

    found = Runs(engine.store).get(CAROL, RunNamed(run=run)).run
    assert (found.params["n"], found.seed, found.actor, found.caused_by) == (4, 7, "carol", firing.id)
    assert found.params["since"] == {"$datetime": "2026-01-02T00:00:00+00:00"}
    event = engine.events.since("default", 0, kinds=("trigger.fired",))[0]
    assert (event.actor, event.body["reason"]) == ("carol", "to see")
    assert carried_out(engine) == []


def test_what_is_asked_for_runs_whatever_the_limits_say(engine: Engine, pipelines: Pipelines) -> None:
    for n in (1, 2):
        assert pipelines.run(CAROL, RunPipeline(pipeline="sums", parameters={"n": n})).state == "claimed"

        assert len(carried_out(engine)) == 1


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "needs n"),
        ({"n": "many"}, "'many' is no value for n"),
        ({"n": 1, "m": 2}, "has no parameter 'm'"),
    ],
)
def test_parameters_that_the_code_does_not_take_are_refused_before_anything_starts(
    engine: Engine, pipelines: Pipelines, parameters: dict[str, object], says: str
) -> None:
    with pytest.raises(ParametersWrong, match=says):
        pipelines.run(CAROL, RunPipeline(pipeline="sums", parameters=parameters))

    assert rows(engine, "select count(*) from firing") == [(0,)]


def test_a_plan_without_a_parameter_that_is_needed_tells_of_it_and_of_all_others(pipelines: Pipelines) -> None:
    sheet = pipelines.plan(CAROL, PlanRun(pipeline="sums"))

    assert (sheet.steps, sheet.ends_at) == ([], "a run needs n, which has no default")
    assert [one.name for one in sheet.parameters] == ["n", "times", "since"]


def test_a_plan_says_what_would_run_why_and_what_each_step_is_given(engine: Engine, pipelines: Pipelines) -> None:
    before = pipelines.plan(CAROL, PlanRun(pipeline="sums", parameters={"n": 1}))
    pipelines.run(CAROL, RunPipeline(pipeline="sums", parameters={"n": 1}))
    carried_out(engine)
    after = pipelines.plan(CAROL, PlanRun(pipeline="sums", parameters={"n": 1}, from_step="shaky"))

    assert [(one.path, one.verdict, one.needs) for one in before.steps] == [
        ("sums/doubled", "run", ()),
        ("sums/shaky", "depends", ("sums/doubled",)),
    ]
    assert [(one.verdict, one.needs) for one in after.steps] == [("reuse", ()), ("run", ("sums/doubled",))]
    assert [(one.name, one.type, one.is_required, one.default) for one in after.parameters] == [
        ("n", "int", True, None),
        ("times", "float", False, 1.0),
        ("since", "datetime.datetime | None", False, None),
    ]


def test_who_may_log_runs_may_neither_run_code_nor_stop_it(engine: Engine, pipelines: Pipelines) -> None:
    control, triggers = RunControl(engine), Triggers(engine)

    for act in (
        lambda: pipelines.run(TRACKER, RunPipeline(pipeline="sums", parameters={"n": 1})),
        lambda: pipelines.plan(TRACKER, PlanRun(pipeline="sums", parameters={"n": 1})),
        lambda: control.resume(TRACKER, ResumeRun(run="run_x")),
        lambda: control.cancel(TRACKER, CancelRun(run="run_x")),
        lambda: control.answer(TRACKER, AnswerWait(wait="run_x", answer=True)),
        lambda: triggers.pause(TRACKER, PauseTriggers(pipeline="sums")),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_a_pipeline_is_listed_with_its_runs_whether_it_is_published_or_not(
    engine: Engine, pipelines: Pipelines
) -> None:
    @pipeline(name="loose")
    def loose() -> int:
        return 1

    run = engine.run(loose, {}).id

    lines = {line.name: line for line in pipelines.list(CAROL)}
    assert list(lines) == ["asks", "loose", "sums"]
    assert (lines["loose"].target, [mark.id for mark in lines["loose"].runs]) == (None, [run])
    assert lines["sums"].next_at == datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert pipelines.get(CAROL, PipelineNamed(pipeline="loose")).publication is None
    with pytest.raises(PipelineNotFound, match="none of that name"):
        pipelines.get(CAROL, PipelineNamed(pipeline="lose"))


def test_a_failed_run_goes_on_in_a_process_of_the_scheduler_and_keeps_what_it_had(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "is_broken", True)
    failed = engine.run(sums, sums.bind((), {"n": 3}))
    monkeypatch.setattr(sys.modules[__name__], "is_broken", False)
    control = RunControl(engine)

    firing = control.resume(CAROL, ResumeRun(run=failed.id))
    assert carried_out(engine) == [failed.id]

    sheet = Runs(engine.store).get(CAROL, RunNamed(run=failed.id))
    assert sheet.run.status == "done"
    assert [run.status for run in sheet.below if run.name == "doubled"] == ["done"]
    assert [line.id for line in control.story(CAROL, StoryOf(run=failed.id)).firings] == [firing.id]
    with pytest.raises(Conflict):
        fire(engine, firing.id)


def test_a_run_that_is_alive_and_a_step_cannot_be_resumed(engine: Engine, clock: HeldClock) -> None:
    run = engine.run(sums, sums.bind((), {"n": 3})).id
    inside = Runs(engine.store).get(CAROL, RunNamed(run=run)).below[0].id
    control = RunControl(engine)

    with pytest.raises(PipelineNotFound):
        control.resume(CAROL, ResumeRun(run=inside))
    epoch = take_over(engine.store, "default", leases.find(engine.store, "default", run), to_micros(clock()))
    with leases.driving(run, epoch), pytest.raises(RunIsHeld):
        control.resume(CAROL, ResumeRun(run=run))


def test_a_run_that_waits_is_answered_and_one_that_is_cancelled_says_by_whom(engine: Engine) -> None:
    control = RunControl(engine)
    one, other = engine.run(asks, {}).id, engine.run(asks, {}).id
    waits = control.waiting(CAROL)
    assert [wait.run for wait in waits] == [one, other]

    assert control.answer(CAROL, AnswerWait(wait=waits[0].id, answer=True)).run == one
    assert control.cancel(CAROL, CancelRun(run=other, reason="enough")).is_cancelled

    with pytest.raises(WaitNotFound):
        control.answer(CAROL, AnswerWait(wait=waits[0].id, answer=False))
    assert not control.cancel(CAROL, CancelRun(run=other)).is_cancelled
    said = engine.events.since("default", 0, kinds=("run.cancelled", "wait.answered"))
    assert [(event.kind, event.actor) for event in said] == [("wait.answered", "carol"), ("run.cancelled", "carol")]


def test_a_paused_pipeline_starts_by_hand_alone_and_what_fell_due_is_passed_over(
    engine: Engine, pipelines: Pipelines, clock: HeldClock
) -> None:
    triggers = Triggers(engine)
    triggers.pause(CAROL, PauseTriggers(pipeline="sums"))
    engine.store.write(
        lambda tx: engine.events.append(tx, project="default", kind="thing.happened", subject="thing/a", actor="me")
    )
    clock.move(days=2)
    assert Scheduler(engine, Noted()).tick() == []

    pipelines.run(CAROL, RunPipeline(pipeline="sums", parameters={"n": 1}))
    assert len(carried_out(engine)) == 1
    lines = triggers.resume(CAROL, PauseTriggers(pipeline="sums"))

    assert Scheduler(engine, Noted()).tick() == []
    assert [line.is_paused for line in lines] == [False, False]
    assert triggers.get(CAROL, TriggerOf(pipeline="sums")).triggers[1].next_at == datetime(2026, 3, 3, 3, tzinfo=UTC)
    with pytest.raises(TriggerNotFound):
        triggers.pause(CAROL, PauseTriggers(pipeline="asks"))


def test_what_steps_used_and_made_is_told_with_short_values_in_full(engine: Engine) -> None:
    run = engine.run(sums, sums.bind((), {"n": 3}))

    edges = Runs(engine.store).edges(CAROL, RunNamed(run=run.id))

    steps = {step.id: step.path for step in Runs(engine.store).get(CAROL, RunNamed(run=run.id)).below}
    inside = [(steps[edge.run], edge.direction, edge.text) for edge in edges if edge.run in steps]
    assert inside == [("sums/doubled", "out", "6"), ("sums/shaky", "in", "6"), ("sums/shaky", "out", "6")]
    assert next(edge for edge in edges if edge.direction == "in").producer == edges[1].run


def test_runs_are_found_by_status_and_by_a_part_of_their_name(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    done = engine.run(sums, sums.bind((), {"n": 1})).id
    monkeypatch.setattr(sys.modules[__name__], "is_broken", True)
    failed = engine.run(sums, sums.bind((), {"n": 2})).id
    other = engine.run(asks, {}).id
    runs = Runs(engine.store)

    def found(**wanted: str) -> list[str]:
        return [run.id for run in runs.newest(CAROL, ListRuns(**wanted)).items]  # type: ignore[arg-type]

    assert found(status="failed") == [failed]
    assert found(name="UM") == [failed, done]
    assert found(name="um", status="done") == [done]
    assert found(name="_") == []
    assert found() == [other, failed, done]


PROJECT = """
import os
import time
from treadle.kernel.engine import pipeline, step

print("imported")

@step
def greet(name: str) -> str:
    return "hello " + name

@pipeline
def greeting(name: str = "you", ends: bool = False, sleeps: float = 0.0) -> str:
    if ends:
        os._exit(7)
    time.sleep(sleeps)
    return greet(name)
"""


def test_published_code_is_planned_in_a_process_of_its_own_that_may_die_or_be_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow_to_plan.py").write_text(PROJECT)
    (project / "opening_it.py").write_text(OPENER)
    script = (
        "from pathlib import Path; import opening_it, flow_to_plan;"
        "from treadle.kernel.engine.publishing import publish;"
        f"publish(opening_it.open_it(), [flow_to_plan.greeting], Path({str(project)!r}))"
    )
    environment = {"PYTHONPATH": f"{project}:{REPO}", "TEST_HOME": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=project, env=environment)
    monkeypatch.setenv("PYTHONPATH", f"{REPO}")
    with opened(tmp_path / "home") as engine:

        def plan(limit_s: float = 60.0, **parameters: object) -> list[str]:
            variables = {"TEST_HOME": str(tmp_path / "home")}
            planner = PlanProcess(
                engine, "opening_it:open_it", folder=tmp_path / "code", environment=variables, limit_s=limit_s
            )
            sheet = Pipelines(engine, planner).plan(CAROL, PlanRun(pipeline="greeting", parameters=parameters))
            return [step.path for step in sheet.steps]

        assert plan(name="ada") == ["greeting/greet"]
        with pytest.raises(CodeUnusable, match="ended the process"):
            plan(ends=True)
        with pytest.raises(CodeUnusable, match="not ready within"):
            plan(sleeps=60, limit_s=0.2)
        assert "flow_to_plan" not in sys.modules
