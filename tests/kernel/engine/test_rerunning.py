"""A recorded run made again: wanted steps run, the others and all acts are answered from the record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import treadle as td
from tests.kernel.engine.engines import opened, rows
from treadle.kernel.engine import ambient
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.errors import NotRecorded, PipelineNotFound
from treadle.kernel.engine.pipelines import Pipeline
from treadle.kernel.engine.rerunning import Wanted, nothing_starts, rerun
from treadle.kernel.engine.service import Engine

ran: list[str] = []
acts: list[str] = []


@td.step
def load(n: int) -> list[int]:
    ran.append("load")
    return list(range(n))


@td.step
def square(x: int) -> int:
    ran.append(f"square {x}")
    return x * x


@td.step
def add(values: list[int], rng: Any) -> float:
    ran.append("add")
    return sum(values) + float(rng.random())


@td.step
def chance() -> bytes:
    return os.urandom(8)


@td.pipeline
def inner(x: int) -> int:
    return square(x)


@td.pipeline
def whole(n: int = 3) -> float:
    numbers = td.load(load(n))
    squares = square.map(td.each(numbers))
    engine().act("tell", lambda _: acts.append("told") or "told")
    total = add(squares)
    inner(7)
    acts.append("the end of the body")
    return total


@td.pipeline
def lucky() -> bytes:
    return chance()


def engine() -> Engine:
    return ambient.current_engine()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Engine]:
    ran.clear()
    acts.clear()
    with opened(tmp_path) as engine, ambient.use(engine):
        yield engine


def status_of(engine: Engine, run: str) -> list[tuple[Any, ...]]:
    return rows(engine, "select path, status, key from run where root = :run and id <> :run order by id;", run=run)


def results(engine: Engine, root: str) -> dict[str, str]:
    found = rows(
        engine,
        "select r.path, e.digest from run r join edge e on e.run = r.id and e.direction = 'out' "
        "where r.root = :root and r.kind = 'step';",
        root=root,
    )
    return dict(found)


def test_everything_runs_again_and_gives_the_same_while_acts_are_not_done_twice(made: Engine) -> None:
    first = made.run(whole, {"n": 3})
    begun = list(ran)
    ran.clear()

    again = rerun(made, first.id, whole, Wanted())

    assert again.status == "done"
    assert ran == begun
    assert acts == ["told", "the end of the body", "the end of the body"]
    assert results(made, again.id) == results(made, first.id)


def test_only_what_is_wanted_runs_and_the_body_ends_there(made: Engine) -> None:
    first = made.run(whole, {"n": 3})
    ran.clear()

    again = rerun(made, first.id, whole, Wanted(frozenset({"whole/add"}), frozenset({"whole/add"})))

    assert ran == ["add"]
    assert acts == ["told", "the end of the body"]
    assert status_of(made, again.id) == [("whole/add", "done", None)]
    recorded = dict(rows(made, "select path, id from run where root = :run;", run=first.id))
    used = rows(
        made,
        "select producer from edge e join run r on r.id = e.run where r.root = :run and direction = 'in';",
        run=again.id,
    )
    assert {producer for (producer,) in used} == {recorded[f"whole/square[x={n}]"] for n in range(3)}


def test_a_step_of_a_nested_pipeline_can_be_the_end(made: Engine) -> None:
    first = made.run(whole, {"n": 1})
    ran.clear()
    path = "whole/inner/square"

    again = rerun(made, first.id, whole, Wanted(frozenset({path}), frozenset({path})))

    assert again.status == "done"
    assert ran == ["square 7"]
    assert {path: status for path, status, _ in status_of(made, again.id)} == {
        "whole/inner": "done",
        path: "done",
    }


def test_later_runs_take_nothing_from_it(made: Engine) -> None:
    first = made.run(lucky, {})
    again = rerun(made, first.id, lucky, Wanted())
    assert results(made, again.id) != results(made, first.id)

    third = made.run(lucky, {})

    assert results(made, third.id) == results(made, first.id)
    assert third.counts["cached"] == 1


def test_an_act_that_the_recorded_run_never_came_to_ends_it(made: Engine) -> None:
    first = made.run(whole, {"n": 0})
    made.store.write(lambda tx: tx.execute(_statement("delete from run where name = 'tell';"), {}))

    again = rerun(made, first.id, whole, Wanted())

    assert isinstance(again.error, NotRecorded)
    assert again.status == "failed"
    assert acts.count("told") == 1


def test_a_script_that_works_as_soon_as_it_is_imported_is_refused() -> None:
    with nothing_starts():
        with pytest.raises(PipelineNotFound, match="as soon as it is imported"):
            whole()
        assert square(3) == 9

    assert current_driver.get() is None
    assert isinstance(whole, Pipeline)


def _statement(text: str) -> Any:
    from treadle.kernel.store.sql import parse

    return parse(f"-- name: it\n{text}")["it"]
