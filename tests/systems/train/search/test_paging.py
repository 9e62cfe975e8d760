"""Page tokens: while others write, no run that stays as it is comes twice or never."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.train.search.filling import Made, fill
from treadle.kernel.store import Store
from treadle.kernel.store.sql import composed
from treadle.systems.train.search import runs as searching
from treadle.systems.train.search.catalog import RUNS
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.paging import token_of, values_of
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.runs import RunQuestion, find_runs
from treadle.testing import embedded_store

_projects = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for many examples, each a project of its own."""
    store = embedded_store(tmp_path_factory.mktemp("shared"))
    yield store
    store.close()


def set_metric(store: Store, project: str, number: int, value: float) -> None:
    change = composed(
        "set_metric", "update metric_latest set value = :value where project = :project and run_number = :number"
    )
    store.write(lambda tx: tx.execute(change, {"project": project, "number": number, "value": value}))


values = st.sampled_from([None, 0.0, 1.0, 2.0])
made = st.tuples(st.sampled_from([None, 1, 2, 3]), st.one_of(st.none(), st.just({}), values.map(lambda v: {"a": v})))
acts = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), made),
        st.tuples(st.just("update"), st.integers(0, 30), st.sampled_from([-1.0, 0.5, 1.0, 9.0])),
    ),
    max_size=4,
)


def make(number: int, drawn: tuple[int | None, dict[str, float | None] | None]) -> Made:
    start, metrics = drawn
    return Made(number=number, start_ms=start, metrics=dict(metrics or {}), params={"p": "x"})


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    first=st.lists(made, min_size=1, max_size=20),
    meanwhile=st.lists(acts, max_size=8),
    order=st.sampled_from(
        [[], ["metrics.a"], ["metrics.a desc"], ["start_time"], ["params.p", "metrics.a desc"], ["metrics.a + 1 desc"]]
    ),
    text=st.sampled_from(["", "params.p = 'x'", "metrics.a > -100"]),
    limit=st.integers(1, 5),
    few=st.sampled_from([0, 5000]),
)
def test_runs_that_stay_as_they_are_come_exactly_once(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    first: list[tuple[int | None, dict[str, float | None] | None]],
    meanwhile: list[list[tuple[object, ...]]],
    order: list[str],
    text: str,
    limit: int,
    few: int,
) -> None:
    monkeypatch.setattr(searching, "_FEW", few)
    project, numbers = f"p{next(_projects)}", itertools.count(1)
    runs = [make(next(numbers), drawn) for drawn in first]
    fill(store, runs, ["a"], project)
    untouched = {run.run: run for run in runs}
    seen: list[str] = []
    token = None
    pauses = iter(meanwhile)

    while True:
        question = RunQuestion(
            project=project,
            experiments=[1],
            lifecycles=["active"],
            condition=parse_filter(text, RUNS),
            orders=parse_orders(order, RUNS),
            limit=limit,
            token=token,
            mark=[text, order],
        )
        with store.read() as reader:
            page = find_runs(reader, question)
        seen += [row[1] for row in page.rows]
        token = page.token
        if token is None:
            break
        for act in next(pauses, []):
            if act[0] == "insert":
                fill(store, [make(next(numbers), act[1])], ["a"], project)  # type: ignore[arg-type]
            else:
                run = runs[int(act[1]) % len(runs)]  # type: ignore[call-overload]
                set_metric(store, project, run.number, float(act[2]))  # type: ignore[arg-type]
                untouched.pop(run.run, None)

    wanted = [
        run for run, made in untouched.items() if not text.startswith("metrics") or made.metrics.get("a") is not None
    ]
    assert [seen.count(run) for run in wanted] == [1] * len(wanted)


def test_a_token_carries_its_values_exactly() -> None:
    values = [0, 0.1 + 0.2, -1.7e308, None, "ü'\"", 2**62]

    found = values_of(token_of("q", values), "q", ["number", "number", "number", "text", "text", "number"])

    assert found == values


def forged(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


MARK = json.loads(base64.urlsafe_b64decode(token_of("q", [1])))[0]


@pytest.mark.parametrize(
    "token",
    [
        "x", "", "é", "####", forged({}), forged([]), forged([MARK]), forged([MARK, [1, 2]]), forged([MARK, ["text"]]),
        forged([MARK, [[1]]]), forged([MARK, [{"d": "x"}]]), forged([MARK, [True]]), forged(["other", [1]]),
        forged([MARK, 5]), "W" * 9999,
    ],
)  # fmt: skip
def test_a_token_that_was_not_made_for_the_query_is_refused(token: str) -> None:
    with pytest.raises(SearchInvalid):
        values_of(token, "q", ["number"])
