"""The grammar: what MLflow's clients write, what goes beyond it, and that anything else is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems.train.search import conditions
from treadle.ground.errors import InvalidInput
from treadle.systems.train.search import syntax as s
from treadle.systems.train.search.catalog import RUNS
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.printing import written, written_order

SIGNS = st.sampled_from(
    ["metrics.", "params.", "tags", ".", "a", "`", '"', "'", "b c", " ", "AND", " OR ", " NOT ", "(", ")", "=", "!=", "<",
     "IN", " IS ", "NULL", "LIKE", " BETWEEN ", "1", "-", ".5", "e9", "+", "*", "/", ",", ";", "\\", "%", "\n", "é", "start_time"]
)  # fmt: skip


def canonical(text: str) -> str | None:
    found = parse_filter(text, RUNS)
    return None if found is None else written(found)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("metrics.a>1", "metrics.a > 1"),
        ("metric.a > -1.5e-3", "metrics.a > -0.0015"),
        ("metrics.`a b` >= .5", "metrics.`a b` >= 0.5"),
        ('metrics."a b" != 1.', "metrics.`a b` != 1.0"),
        ("`metrics`.a = 1", "metrics.a = 1"),
        ('params.x = "y"', "params.x = 'y'"),
        ("parameter.x.y = 'it''s'", "params.x.y = 'it''s'"),
        ('params.x = "a\'b"', 'params.x = "a\'b"'),
        ("params.x like '%a'", "params.x LIKE '%a'"),
        ("tags.`mlflow.source` IS NOT  NULL", "tags.mlflow.source IS NOT NULL"),
        ("tag.x is null", "tags.x IS NULL"),
        ("run_id in ('a' , \"b\")", "run_id IN ('a', 'b')"),
        ("run_id not in ('a')", "run_id NOT IN ('a')"),
        ("`run name` = 'x'", "run_name = 'x'"),
        ("Created > 5", "start_time > 5"),
        ("attr.status = 'FINISHED'", "status = 'FINISHED'"),
        ("dataset.name in ('a')", "datasets.name IN ('a')"),
        ("status = 'a' status = 'b'", "status = 'a' AND status = 'b'"),
        ("and status = 'a' AND and", "status = 'a'"),
        ("params.a='b'AND params.c='d'", "params.a = 'b' AND params.c = 'd'"),
        ("AND", None),
        ("", None),
    ],
)
def test_what_clients_of_mlflow_write_means_what_it_means_there(text: str, meant: str | None) -> None:
    assert canonical(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("metrics.a > 1 or metrics.b > 2 and params.x = 'y'", "metrics.a > 1 OR (metrics.b > 2 AND params.x = 'y')"),
        ("not (metrics.a > 1 or params.x = 'y')", "NOT (metrics.a > 1 OR params.x = 'y')"),
        ("((metrics.a + 1) * 2 > 3)", "((metrics.a + 1) * 2) > 3"),
        ("metrics.a - metrics.b / 2 between -1 and 1", "(metrics.a - (metrics.b / 2)) BETWEEN -1 AND 1"),
        ("1 < metrics.a", "1 < metrics.a"),
        ("metrics.a in (1, -2)", "metrics.a IN (1, -2)"),
        ("params.x not like 'a%'", "NOT (params.x LIKE 'a%')"),
        ("params.x MATCHES '^a+$'", "params.x RLIKE '^a+$'"),
        (
            "min(metrics.`a b`) < 3 and last_step(metrics.a) > 10",
            "min(metrics.`a b`) < 3 AND last_step(metrics.a) > 10",
        ),
        ("end_time - start_time > 60000", "(end_time - start_time) > 60000"),
        ("metrics.a is null", "metrics.a IS NULL"),
    ],
)
def test_what_goes_beyond_mlflow(text: str, meant: str) -> None:
    assert canonical(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "  ", "metrics.a", "metrics.a >", "metrics.a > +1", "metrics.a == 1", "metrics.a > 'x'", "params.a = 1", "params.a > 'x'",
        "params.a = `x`", "params.a = 'x", "what.a = 1", "Metrics.a > 1", "name = 'x'", "dataset.q = 'x'", "run_id IN ()",
        "run_id IN (1)", "run_id IN (a)", "(metrics.a > 1", "metrics.a > 1)", "metrics.a > 1 OR", "OR", "NOT", "()",
        "metrics.a > 1;", "metrics.a > 1 -- x", "metrics.a > 0x10", "params.a RLIKE '(a'", "params.a + 1 > 2",
        "metrics.a BETWEEN 1", "status BETWEEN 'a' AND 'b'", "mean(metrics.a) > 1", "(" * 500, "-" * 500 + "1 > 2",
        "NOT " * 500 + "metrics.a > 1", " AND ".join(["metrics.a > 1"] * 501),
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_filter(text, RUNS)


@settings(max_examples=300, deadline=None)
@given(found=conditions.condition)
def test_a_condition_written_and_read_again_is_the_same(found: s.Condition) -> None:
    read = parse_filter(written(found), RUNS)

    assert read is not None
    assert parse_filter(written(read), RUNS) == read
    assert written(read) == written(found)


@settings(max_examples=500, deadline=None)
@given(text=st.lists(SIGNS, max_size=14).map("".join))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        found = parse_filter(text, RUNS)
    except InvalidInput:
        return
    assert found is None or parse_filter(written(found), RUNS) == found


@settings(max_examples=300, deadline=None)
@given(text=st.lists(SIGNS, max_size=6).map("".join))
def test_any_text_is_an_order_or_is_refused(text: str) -> None:
    try:
        (found,) = parse_orders([text], RUNS)
    except InvalidInput:
        return
    assert parse_orders([written_order(found)], RUNS) == (found,)


@pytest.mark.parametrize("texts", [["metrics.a", "metric.a DESC"], ["start_time", "attributes.created"]])
def test_an_order_names_a_value_once(texts: list[str]) -> None:
    with pytest.raises(SearchInvalid, match="duplicate"):
        parse_orders(texts, RUNS)
