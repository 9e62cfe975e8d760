"""Searches of runs find what the grammar means, whichever way they go, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.train.search import conditions, naive
from tests.systems.train.search.filling import Made, fill
from treadle.kernel.store import Parameters, Reader, Row, Statement, Store
from treadle.systems.train.search import runs as searching
from treadle.systems.train.search import syntax as s
from treadle.systems.train.search.catalog import RUNS
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.runs import RunQuestion, count_runs, facets, find_runs
from treadle.testing import embedded_store

FILTERS = [
    "", "metrics.a > 0", "metrics.a != 0", "metrics.a = 0 and params.p='x'", "params.p like 'x%'", "params.p ilike 'X%'",
    "params.p rlike '^x+$'", "not params.p = 'x'", "metrics.a > 0 or metrics.b < 0", "metrics.a * metrics.b > 1",
    "metrics.a / metrics.b >= 1", "dataset.name = 'm'", "dataset.context != 'train'",
    "dataset.name in ('m') and dataset.digest not in ('1')", "metrics.a is null", "metrics.a in (0, 1)",
    "metrics.a not in (0, 1)", "metrics.a between -10 and metrics.b", "metrics.a > -1 and metrics.a < 2",
    "end_time - start_time > 0", "not start_time > 2", "tags.t is not null", "max(metrics.a) > 1", "metrics.zz > 1",
    "metrics.zz is null", "-metrics.a < 0", "status = 'FINISHED' and metrics.a >= 0 and metrics.b <= 3",
]  # fmt: skip
ORDERS = [
    [], ["metrics.a"], ["metrics.a desc"], ["params.p desc"], ["params.p"], ["tags.t"], ["start_time asc"],
    ["end_time desc", "metrics.b"], ["metrics.a desc", "start_time asc"], ["metrics.a + metrics.b desc"],
    ["run_name asc", "metrics.a desc"], ["metrics.zz desc"], ["metrics.b", "metrics.a desc"], ["start_time desc", "metrics.a"],
    ["min(metrics.a) desc"],
]  # fmt: skip


def some_runs(count: int = 120) -> list[Made]:
    """Runs that differ in everything, the same ones each time."""
    made = []
    for n in range(1, count):
        run = Made(
            number=n,
            name="aBc"[n % 3],
            status=["RUNNING", "FINISHED"][n % 2],
            start_ms=[None, 1, 2, 3, 4][n * 7 % 5],
            end_ms=[None, 3][n * 3 % 2],
            lifecycle="deleted" if n % 6 == 0 else "active",
            tags={"t": "v"} if n % 5 < 2 else {},
        )
        for place, key in enumerate("ab"):
            if (n * (place + 3)) % 7 < 5:
                run.metrics[key] = [None, 0.0, 1.0, 2.0, -3.5][(n * (place + 2)) % 5]
        if n % 4:
            run.params["p"] = ["x", "X", "xy", "%", "y" * 251 + "a", "y" * 251 + "b"][n * 5 % 6]
        run.datasets = [("mn"[n % 2], "12"[n // 2 % 2], [None, "train", "eval"][n % 3])] if n % 3 else []
        made.append(run)
    return made


def found_by(
    reader: Reader,
    condition: s.Condition | None,
    orders: Sequence[s.Order],
    lifecycles: Sequence[str],
    limit: int = 37,
    project: str = "p",
) -> list[str]:
    """The ids of the runs on all pages."""
    found, token = [], None
    while True:
        question = RunQuestion(
            project=project,
            experiments=[1],
            lifecycles=lifecycles,
            condition=condition,
            orders=orders,
            limit=limit,
            token=token,
            mark="m",
        )
        page = find_runs(reader, question)
        found += [row[1] for row in page.rows]
        token = page.token
        if token is None:
            assert count_runs(reader, question) == len(found)
            return found


def meant_by(
    runs: list[Made], condition: s.Condition | None, orders: Sequence[s.Order], lifecycles: Sequence[str]
) -> list[str]:
    kept = [run for run in runs if run.lifecycle in lifecycles and naive.meets(run, condition)]
    return [run.run for run in naive.ordered(kept, tuple(orders))]


@pytest.mark.parametrize(
    ("few", "certain", "marked"), [(0, 10, 1 << 22), (0, 10, 0), (5000, 10, 0), (5000, 10**9, 1 << 22)]
)
def test_every_filter_in_every_order_finds_what_it_means(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, few: int, certain: int, marked: int
) -> None:
    """Walked, sorted, with what matches marked or listed: each way finds the same."""
    monkeypatch.setattr(searching, "_FEW", few)
    monkeypatch.setattr(searching, "_CERTAIN", certain)
    monkeypatch.setattr(searching, "_GLANCE", 1)
    monkeypatch.setattr(searching, "_SOON", dict.fromkeys(searching._SOON, 1))
    monkeypatch.setattr(searching, "MOST_MARKED", marked)
    monkeypatch.setattr(searching, "_PASSED", 0)
    runs = some_runs()
    fill(sqlite_store, runs)

    with sqlite_store.read() as reader:
        for text in FILTERS:
            condition = parse_filter(text, RUNS)
            for names in ORDERS:
                orders = parse_orders(names, RUNS)
                for lifecycles in (["active"], ["active", "deleted"]):
                    wanted = meant_by(runs, condition, orders, lifecycles)
                    assert found_by(reader, condition, orders, lifecycles) == wanted, (text, names, lifecycles)


class Listening:
    """A reader that remembers which statements it was asked."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self.asked = reader, list[str]()

    @property
    def dialect(self) -> str:
        return self._reader.dialect

    def find(self, statement: Statement, parameters: Parameters) -> Row | None:
        self.asked.append(statement.name)
        return self._reader.find(statement, parameters)

    def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        self.asked.append(statement.name)
        return self._reader.all(statement, parameters)

    def each(self, statement: Statement, parameters: Parameters) -> Iterator[Row]:
        self.asked.append(statement.name)
        return self._reader.each(statement, parameters)


@pytest.mark.parametrize(
    ("order", "is_marked"), [("metrics.down desc", True), ("metrics.up desc", False), ("metrics.other desc", False)]
)
def test_what_matches_is_marked_where_it_stands_at_the_far_end_alone(
    any_store: Store, monkeypatch: pytest.MonkeyPatch, order: str, is_marked: bool
) -> None:
    monkeypatch.setattr(searching, "_FEW", 10)
    runs = [
        Made(number=n, start_ms=n, metrics={"up": float(n), "down": -float(n), "other": float(n * 37 % 401)})
        for n in range(1, 401)
    ]
    fill(any_store, runs, ["up", "down", "other"])
    condition, orders = parse_filter("metrics.up > 200 and metrics.down < -100", RUNS), parse_orders([order], RUNS)

    with any_store.read() as reader:
        listening = Listening(reader)
        question = RunQuestion(
            project="p",
            experiments=[1],
            lifecycles=["active"],
            condition=condition,
            orders=orders,
            limit=9,
            token=None,
            mark="m",
        )
        page = find_runs(listening, question)

    assert [row[1] for row in page.rows] == meant_by(runs, condition, orders, ["active"])[:9]
    assert ("gather_runs" in listening.asked) is is_marked


@pytest.mark.parametrize(("few", "certain"), [(0, 10), (5001, 10**9)])
def test_both_databases_find_the_same(
    any_store: Store, monkeypatch: pytest.MonkeyPatch, few: int, certain: int
) -> None:
    monkeypatch.setattr(searching, "_FEW", few)
    monkeypatch.setattr(searching, "_CERTAIN", certain)
    monkeypatch.setattr(searching, "_GLANCE", 1)
    monkeypatch.setattr(searching, "_SOON", dict.fromkeys(searching._SOON, 1))
    monkeypatch.setattr(searching, "_PASSED", 0)
    runs = some_runs(60)
    fill(any_store, runs)

    with any_store.read() as reader:
        for place, text in list(enumerate(FILTERS))[few % 2 :: 2]:
            condition = parse_filter(text, RUNS)
            for names in (ORDERS[place % len(ORDERS)], ORDERS[(place + 4) % len(ORDERS)]):
                orders = parse_orders(names, RUNS)
                wanted = meant_by(runs, condition, orders, ["active"])
                assert found_by(reader, condition, orders, ["active"], 11) == wanted, (text, names)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for many examples, each a project of its own."""
    store = embedded_store(tmp_path_factory.mktemp("shared"))
    yield store
    store.close()


_projects = itertools.count()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    runs=st.integers(0, 8).flatmap(lambda count: st.tuples(*(conditions.run(number + 1) for number in range(count)))),
    asked=st.lists(st.tuples(conditions.condition, conditions.orders), min_size=1, max_size=4),
)
def test_random_filters_agree_with_a_naive_evaluator(
    shared_store: Store, runs: tuple[Made, ...], asked: list[tuple[s.Condition, tuple[s.Order, ...]]]
) -> None:
    project = f"p{next(_projects)}"
    fill(shared_store, runs, conditions.METRICS, project)

    with shared_store.read() as reader:
        for condition, orders in asked:
            wanted = meant_by(list(runs), condition, orders, ["active"])
            assert found_by(reader, condition, orders, ["active"], 3, project) == wanted


@pytest.mark.parametrize("most_merged", [0, 20])
@pytest.mark.parametrize("order", [["metrics.a desc"], [], ["params.p", "metrics.b"]])
def test_runs_of_several_experiments_are_ordered_together(
    any_store: Store, monkeypatch: pytest.MonkeyPatch, most_merged: int, order: list[str]
) -> None:
    monkeypatch.setattr(searching, "_MOST_MERGED", most_merged)
    runs = some_runs(40)
    for run in runs:
        run.experiment = 1 + run.number % 3
    fill(any_store, runs)
    orders = parse_orders(order, RUNS)

    with any_store.read() as reader:
        question = RunQuestion(
            project="p",
            experiments=[1, 3],
            lifecycles=["active"],
            condition=None,
            orders=orders,
            limit=100,
            token=None,
            mark="m",
        )
        found = [row[1] for row in find_runs(reader, question).rows]

    assert found == meant_by([run for run in runs if run.experiment != 2], None, orders, ["active"])


def test_another_projects_runs_are_never_found(any_store: Store) -> None:
    fill(any_store, some_runs(20))

    with any_store.read() as reader:
        for text in ("", "metrics.a > -100", "params.p = 'x'"):
            question = RunQuestion(
                project="other",
                experiments=[1],
                lifecycles=["active"],
                condition=parse_filter(text, RUNS),
                orders=(),
                limit=100,
                token=None,
                mark="m",
            )
            assert find_runs(reader, question).rows == []


def test_runs_are_counted_by_the_values_of_a_parameter(any_store: Store) -> None:
    fill(any_store, [Made(number=n, params={"p": "ab"[n % 4 == 0]} if n % 5 else {}) for n in range(1, 21)])
    question = RunQuestion(
        project="p",
        experiments=[1],
        lifecycles=["active"],
        condition=None,
        orders=(),
        limit=100,
        token=None,
        mark="m",
    )

    with any_store.read() as reader:
        found = [(one.value, one.count) for one in facets(reader, question, RUNS.field_of("params.p"), 10)]

    assert found == [("a", 12), ("b", 4), (None, 4)]


def test_thousands_of_run_ids_may_be_listed(any_store: Store) -> None:
    runs = some_runs(30)
    fill(any_store, runs)
    listed = ", ".join(f"'{run.run}'" for run in runs[:5]) + ", " + ", ".join(f"'{n:032x}'" for n in range(1, 8000))
    condition = parse_filter(f"run_id IN ({listed})", RUNS)

    with any_store.read() as reader:
        assert found_by(reader, condition, (), ["active", "deleted"]) == meant_by(
            runs[:5], None, (), ["active", "deleted"]
        )


def test_arithmetic_fails_on_no_value(any_store: Store) -> None:
    runs = [
        Made(number=1, metrics={"a": 1.7e308, "b": 1.7e308}),
        Made(number=2, metrics={"a": 5e-324, "b": 5e-324}),
        Made(number=3, metrics={"a": 1.0, "b": 0.0}),
        Made(number=4, metrics={"a": None, "b": 1.0}),
    ]
    fill(any_store, runs)

    with any_store.read() as reader:
        for sign in "+-*/":
            for compared in ("> 0.5", "< 0.5", "= 1"):
                condition = parse_filter(f"metrics.a {sign} metrics.b {compared}", RUNS)
                found_by(reader, condition, parse_orders([f"metrics.a {sign} metrics.b"], RUNS), ["active"], 1)
