"""What a user sees: steps, handles, pipelines, maps, in this process."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.kernel.engine.engines import opened, rows
from treadle.kernel.engine import each, load, pipeline, step, use
from treadle.kernel.engine.errors import HandleUsedAsValue, InvalidStep, StepFailed, UnkeyableArgument
from treadle.kernel.engine.handles import Handle
from treadle.kernel.engine.reporting import log_metric
from treadle.kernel.engine.service import Engine


@pytest.fixture
def engine(tmp_path: Path):
    with opened(tmp_path) as engine, use(engine):
        yield engine


@step
def doubled(x: int) -> int:
    return 2 * x


@step
def rows_of(n: int) -> pl.DataFrame:
    return pl.DataFrame({"a": list(range(n))})


@step
def height(frame: pl.DataFrame) -> int:
    assert isinstance(frame, pl.DataFrame)
    return frame.height


@step
def scored(rate: float, seed: int = 7) -> float:
    log_metric("auc", rate * 10)
    return rate + seed


@step
def broken(x: int) -> int:
    raise ValueError(f"cannot do {x}")


def test_a_step_outside_of_a_pipeline_is_the_plain_function() -> None:
    assert doubled(4) == 8
    assert doubled.map(each([1, 2])) == [2, 4]
    assert doubled.submit(1) == 2


def test_calling_a_pipeline_runs_it_and_answers_its_run(engine: Engine) -> None:
    @pipeline
    def simple(n: int = 3) -> int:
        return doubled(doubled(n))

    run = simple(5)

    assert run.status == "done"
    assert load(run.value) == 20
    assert rows(engine, "select status, name from run where id = :id", id=run.id) == [("done", "simple")]


def test_a_step_with_a_handle_gets_the_value_as_its_annotation_says(engine: Engine) -> None:
    @pipeline
    def framed() -> int:
        return height(rows_of(6))

    assert load(framed().value) == 6


@pytest.mark.parametrize(
    "use_it",
    [
        lambda h: h + 1,
        lambda h: bool(h),
        lambda h: len(h),
        lambda h: h == 2,
        lambda h: h.shape,
        lambda h: [*h],
        lambda h: h["a"],
        lambda h: f"{h:.2f}",
        lambda h: float(h),
        lambda h: h(),
    ],
)
def test_a_handle_used_as_a_value_says_what_to_do(engine: Engine, use_it) -> None:
    @pipeline
    def misused() -> object:
        return use_it(doubled(1))

    with pytest.raises(HandleUsedAsValue) as caught:
        misused()

    assert "td.load" in caught.value.fix


def test_a_handle_can_be_shown_hashed_and_asked(engine: Engine) -> None:
    @pipeline
    def asked() -> dict:
        handle = scored(0.1, seed=1)
        assert "asked/scored" in repr(handle)
        assert handle in {handle}
        return {"digest": handle.digest, "metrics": dict(handle.metrics), "path": handle.path, "run": handle.run}

    found = asked().value

    assert found["digest"].startswith("sha256:")
    assert found["metrics"] == {"auc": 1.0}
    assert found["path"] == "asked/scored"
    assert found["run"].startswith("run_")


def test_paths_are_items_and_repeated_calls_are_numbered(engine: Engine) -> None:
    @pipeline
    def placed() -> list:
        return [*scored.map(each([0.1, 0.2])), doubled(1), doubled(2), *doubled.map(x=each(["a/b", "c"]))]

    run = placed()

    paths = [handle.path for handle in run.value]
    assert paths[:4] == ["placed/scored[rate=0.1]", "placed/scored[rate=0.2]", "placed/doubled", "placed/doubled#2"]
    assert paths[4].startswith("placed/doubled[x=ab~")
    assert paths[5] == "placed/doubled[x=c]"


def test_two_each_go_side_by_side_and_must_be_of_equal_length(engine: Engine) -> None:
    @step
    def joined(a: int, b: str) -> str:
        return f"{a}{b}"

    @pipeline
    def zipped(second: list) -> list:
        return load(joined.map(each([1, 2]), b=each(second)))

    assert zipped(["x", "y"]).value == ["1x", "2y"]
    with pytest.raises(InvalidStep, match="differ in length"):
        zipped(["x"])


def test_a_seed_is_derived_from_run_and_path_and_enters_the_key(engine: Engine) -> None:
    @pipeline
    def seeded() -> list:
        return load([scored(0.1), scored(0.1)])

    first = engine.run(seeded, {}, seed=1)
    again = engine.run(seeded, {}, seed=1)
    other = engine.run(seeded, {}, seed=2)

    assert first.value[0] != first.value[1]
    assert first.value == again.value
    assert again.counts["cached"] == 2
    assert other.counts["done"] == 2
    assert other.value != first.value


def test_containers_of_handles_and_raw_frames_are_inputs_with_edges(engine: Engine) -> None:
    @step
    def together(parts: list[int], named: dict, frame: pl.DataFrame) -> int:
        return sum(parts) + named["x"] + frame.height

    @pipeline
    def mixed() -> int:
        return together([doubled(1), 5], {"x": doubled(2)}, pl.DataFrame({"a": [1, 2, 3]}))

    run = mixed()

    assert load(run.value) == 2 + 5 + 4 + 3
    edges = rows(engine, "select role, producer from edge where run = :run and direction = 'in'", run=run.value.run)
    made_by = dict(edges)
    assert set(made_by) == {"parts[0]", "named[x]", "frame"}
    assert made_by["frame"] == run.id


def test_an_argument_without_identity_is_refused_by_name(engine: Engine) -> None:
    @pipeline
    def hopeless() -> int:
        return doubled(iter([1]))  # type: ignore[arg-type]

    with pytest.raises(UnkeyableArgument, match="'x'"):
        hopeless()


def test_a_failure_that_the_body_catches_does_not_end_the_run(engine: Engine) -> None:
    @pipeline
    def careful() -> int:
        with pytest.raises(StepFailed, match="cannot do 1"):
            broken(1)
        return doubled(21)

    assert load(careful().value) == 42


def test_a_failure_that_ends_the_run_is_recorded_with_its_traceback(engine: Engine) -> None:
    @pipeline
    def careless() -> int:
        return broken(2)

    run = engine.run(careless, {})

    assert run.status == "failed"
    assert isinstance(run.error, StepFailed)
    assert isinstance(run.error.__cause__, ValueError)
    ((error,),) = rows(engine, "select error from run where path = 'careless/broken'")
    assert "raise ValueError" in error
    assert "driver.py" not in error


def test_a_map_goes_on_past_a_failed_element_and_the_run_fails_at_its_end(engine: Engine) -> None:
    @step
    def picky(x: int) -> int:
        if x == 1:
            raise ValueError("not one")
        return x

    @pipeline
    def mapped() -> None:
        picky.map(each([0, 1, 2]))

    run = engine.run(mapped, {})

    assert run.status == "failed"
    statuses = rows(engine, "select status from run where name = 'picky' order by id")
    assert [status for (status,) in statuses] == ["done", "failed", "done"]


def test_a_pipeline_inside_a_pipeline_is_a_run_of_its_own(engine: Engine) -> None:
    @pipeline
    def inner(n: int) -> int:
        return doubled(n)

    @pipeline
    def outer() -> int:
        return doubled(inner(3).value)

    run = outer()

    assert load(run.value) == 12
    found = rows(
        engine, "select path, kind, status from run where root = :root and parent = :root order by path", root=run.id
    )
    assert found == [("outer/doubled", "step", "done"), ("outer/inner", "pipeline", "done")]


def test_a_pipeline_inside_a_step_is_refused(engine: Engine) -> None:
    @pipeline
    def inner() -> int:
        return 1

    @step
    def wrong() -> int:
        return inner().value

    @pipeline
    def outer() -> int:
        return wrong()

    with pytest.raises(StepFailed, match="inside a step"):
        outer()


def test_what_a_step_prints_is_shown_and_kept(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    @step
    def talking() -> int:
        print("hello", "there")
        return 1

    @pipeline
    def spoken() -> int:
        return talking()

    run = spoken()

    assert "hello there\n" in capsys.readouterr().out
    kept = rows(engine, "select stream, content from log_chunk where run = :run", run=run.value.run)
    assert kept == [("stdout", "hello there\n")]


def test_undeclared_reads_are_reported(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_TEST_RATE", "3")

    @step
    def secretive() -> str:
        import os

        return os.environ["TREADLE_TEST_RATE"]

    @pipeline
    def reading() -> str:
        return secretive()

    assert reading().undeclared == ["$TREADLE_TEST_RATE"]


def test_a_value_kept_by_digest_is_made_again_where_it_is_needed(engine: Engine, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @step(keep="digest")
    def cheap(n: int, calls: str) -> pl.DataFrame:
        Path(calls).write_text(Path(calls).read_text() + "x" if Path(calls).exists() else "x")
        return pl.DataFrame({"a": list(range(n))})

    @pipeline
    def lean(k: int) -> int:
        return scaled(cheap(1000, str(calls)), k)

    @step
    def scaled(frame: pl.DataFrame, k: int) -> int:
        return frame.height * k

    assert load(lean(1).value) == 1000
    assert load(lean(2).value) == 2000

    assert calls.read_text().count("x") >= 2
    assert rows(engine, "select count(*) from artifact where inline is null and blob is null") == [(1,)]


def test_handles_are_typed_as_the_steps_own_values() -> None:
    frame: int = doubled(2)
    assert not isinstance(frame, Handle)
