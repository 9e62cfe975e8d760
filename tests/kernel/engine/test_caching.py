"""One lookup serves cache and resume: what is reused, what runs, and what `plan` says beforehand."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.kernel.engine.engines import opened, rows
from treadle.kernel.engine import each, load, pipeline, step, use
from treadle.kernel.engine.acts import best_of
from treadle.kernel.engine.reporting import log_metric
from treadle.kernel.engine.service import Engine

PROJECT = '''
from treadle.kernel.engine import pipeline, step
from {helpers} import tidy

LIMIT = 10

@step
def read(n: int) -> list[int]:
    return list(range(n))

@step
def cleaned(values: list[int]) -> list[int]:
    """Says nothing."""
    return [tidy(value) for value in values]

@step
def parity(values: list[int]) -> list[int]:
    return [value % 2 for value in values]

@step
def total(values: list[int]) -> int:
    return sum(values) + LIMIT

@pipeline
def flow(n: int = 4):
    return total(parity(cleaned(read(n))))
'''
HELPERS = """
def tidy(value):
    return value + 2
"""


class Project:
    """Two modules of a user's project that a test edits."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.main, self.helpers = folder, f"{name}_flow", f"{name}_prep"
        self.write(PROJECT, HELPERS)

    def write(self, main: str, helpers: str) -> None:
        (self.folder / f"{self.helpers}.py").write_text(helpers)
        (self.folder / f"{self.main}.py").write_text(main.replace("{helpers}", self.helpers))

    def flow(self) -> Any:
        for name in (self.main, self.helpers):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(self.main).flow


@pytest.fixture
def engine(tmp_path: Path):
    with opened(tmp_path / "home") as engine, use(engine):
        yield engine


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Project(folder, f"p{abs(hash(request.node.name))}")


def ran(engine: Engine, run: str) -> list[str]:
    found = rows(
        engine, "select name from run where root = :run and kind = 'step' and status = 'done' order by id", run=run
    )
    return [name for (name,) in found]


def verdicts(engine: Engine, flow: Any, **arguments: Any) -> dict[str, str]:
    return {step.path.partition("/")[2]: step.verdict for step in engine.plan(flow, {"n": 4} | arguments).steps}


def test_a_second_run_reuses_everything_and_keeps_its_own_rows(engine: Engine, project: Project) -> None:
    first = project.flow()()
    second = project.flow()()

    assert ran(engine, second.id) == []
    cached = rows(
        engine, "select name, reused_from from run where root = :run and status = 'cached' order by id", run=second.id
    )
    assert [name for name, _ in cached] == ["read", "cleaned", "parity", "total"]
    assert {maker for _, maker in cached} == {
        id for (id,) in rows(engine, "select id from run where root = :run and kind = 'step'", run=first.id)
    }
    assert load(first.value) == load(second.value)


def test_a_comment_runs_nothing_again(engine: Engine, project: Project) -> None:
    project.flow()()
    project.write(PROJECT.replace('"""Says nothing."""', "# says less"), "# a remark\n" + HELPERS)

    assert ran(engine, project.flow()().id) == []


def test_a_helper_in_another_file_runs_what_reaches_it_and_plan_says_so(engine: Engine, project: Project) -> None:
    project.flow()()
    project.write(PROJECT, HELPERS.replace("value + 2", "value + 3"))
    flow = project.flow()

    made = engine.plan(flow, {"n": 4})
    run = flow()

    assert [(step.path, step.verdict) for step in made.steps] == [
        ("flow/read", "reuse"),
        ("flow/cleaned", "run"),
        ("flow/parity", "depends"),
        ("flow/total", "depends"),
    ]
    assert made.steps[1].why == (f"helper `tidy` in {project.helpers}.py changed",)
    assert ran(engine, run.id) == ["cleaned", "parity", "total"]


def test_equal_bytes_stop_the_wave(engine: Engine, project: Project) -> None:
    project.flow()()
    project.write(PROJECT, HELPERS.replace("value + 2", "value + 4"))

    assert ran(engine, project.flow()().id) == ["cleaned", "parity"]


def test_a_constant_runs_what_reads_it(engine: Engine, project: Project) -> None:
    project.flow()()
    project.write(PROJECT.replace("LIMIT = 10", "LIMIT = 11"), HELPERS)
    flow = project.flow()

    assert verdicts(engine, flow) == {"read": "reuse", "cleaned": "reuse", "parity": "reuse", "total": "run"}
    assert ran(engine, flow().id) == ["total"]


def test_plan_says_which_parameter_changed_and_writes_nothing(engine: Engine, project: Project) -> None:
    flow = project.flow()
    assert engine.plan(flow, {"n": 4}).lines()[0] == "run     flow/read: it has not run before"
    flow()
    before = rows(engine, "select count(*) from run")

    made = engine.plan(flow, {"n": 5})

    assert made.steps[0].why == ("n was 4, is 5",)
    assert rows(engine, "select count(*) from run") == before


def test_a_hit_whose_bytes_are_gone_is_a_miss(engine: Engine, tmp_path: Path) -> None:
    @step
    def large(n: int) -> pl.DataFrame:
        return pl.DataFrame({"a": list(range(n))})

    @pipeline
    def framed() -> int:
        return large(5000)

    framed()
    for blob in (tmp_path / "home" / "artifacts").glob("??/*"):
        blob.unlink()

    assert engine.plan(framed, {}).steps[0].why == ("its result is no longer in the artifact store",)
    again = framed()
    assert again.counts["done"] == 1
    assert load(again.value).height == 5000


def test_fresh_and_from_step_run_what_is_known(engine: Engine, project: Project) -> None:
    flow = project.flow()
    flow()

    fresh = engine.run(flow, {"n": 4}, fresh=True)
    partly = engine.run(flow, {"n": 4}, from_step="parity")

    assert ran(engine, fresh.id) == ["read", "cleaned", "parity", "total"]
    assert ran(engine, partly.id) == ["parity"]


def test_a_step_without_cache_runs_every_time(engine: Engine) -> None:
    @step(cache=False)
    def live(n: int) -> int:
        return n

    @pipeline
    def lively() -> int:
        return live(1)

    lively()

    assert engine.plan(lively, {}).steps[0].why == ("it runs every time (cache=False)",)
    assert lively().counts == {"done": 1, "cached": 0, "failed": 0, "asked": 1}


def test_a_version_is_part_of_the_key(engine: Engine) -> None:
    def make(version: str) -> Any:
        @step(version=version)
        def versioned(n: int) -> int:
            return n

        @pipeline
        def flow() -> int:
            return versioned(1)

        return flow

    make("1")()

    assert make("1")().counts["cached"] == 1
    assert make("2")().counts["done"] == 1


def test_cache_hits_do_not_cross_projects(tmp_path: Path) -> None:
    @step
    def shared(n: int) -> int:
        return n

    @pipeline
    def flow() -> int:
        return shared(1)

    with opened(tmp_path, project="one") as one:
        assert one.run(flow, {}).counts["done"] == 1
    with opened(tmp_path, project="two") as two:
        assert two.run(flow, {}).counts["done"] == 1


def test_a_choice_is_recorded_with_its_reason_and_metrics_survive_reuse(engine: Engine) -> None:
    @step
    def fitted(rate: float) -> float:
        log_metric("auc", 1 - abs(rate - 0.2))
        return rate

    @pipeline
    def search() -> float:
        return best_of(fitted.map(each([0.1, 0.2, 0.3])), "auc")

    first, second = search(), search()

    assert load(first.value) == load(second.value) == 0.2
    assert second.counts["cached"] == 3
    assert dict(second.value.metrics) == {"auc": 1.0}
    acts = rows(engine, "select kind, status from run where name = 'best_of' order by id")
    assert acts == [("act", "done"), ("act", "done")]


def test_plan_ends_where_the_body_needs_what_is_not_known(engine: Engine) -> None:
    @step
    def first(n: int) -> list[int]:
        return [n]

    @step
    def second(n: int) -> int:
        return n

    @pipeline
    def wide(n: int) -> list[int]:
        return second.map(each(first(n)))

    made = engine.plan(wide, {"n": 1})
    wide(1)

    assert made.ends_at is not None
    assert "wide/first" in made.ends_at
    assert [step.verdict for step in engine.plan(wide, {"n": 1}).steps] == ["reuse", "reuse"]


def test_what_reads_a_declared_file_runs_when_the_file_changes(engine: Engine, tmp_path: Path) -> None:
    from treadle.kernel.engine.declaring import file

    rates = tmp_path / "rates.csv"
    rates.write_text("1")

    @step
    def reading(path: str) -> str:
        return Path(path).read_text()

    @pipeline
    def flow() -> str:
        return reading(file(rates))

    assert load(flow().value) == "1"
    assert flow().counts["cached"] == 1
    rates.write_text("22")
    assert load(flow().value) == "22"
