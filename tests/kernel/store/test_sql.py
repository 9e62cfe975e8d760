"""Named SQL: one text for both databases."""

from __future__ import annotations

import pytest

from treadle.kernel.store.sql import Statements, parse


def test_parameters_are_written_in_each_drivers_own_style() -> None:
    found = parse("-- name: get\nselect a from t where b = :b and c = :c and d = :b;")["get"]

    assert found.sqlite == "select a from t where b = :b and c = :c and d = :b"
    assert found.postgresql == "select a from t where b = %(b)s and c = %(c)s and d = %(b)s"
    assert found.parameters == ("b", "c")


def test_a_dialect_may_have_a_text_of_its_own() -> None:
    found = parse("-- name: now\nselect 1\n-- name: now (postgresql)\nselect 2")["now"]

    assert (found.sqlite, found.postgresql) == ("select 1", "select 2")


def test_comments_do_not_reach_the_database() -> None:
    found = parse("-- about the file\n\n-- name: a\n-- why\nselect 1;\n\n-- about the next\n-- name: b\nselect 2;")

    assert {name: statement.sqlite for name, statement in found.items()} == {"a": "select 1", "b": "select 2"}


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse("-- name: a\nselect 1\n-- name: a\nselect 2")


def test_an_unknown_name_says_where_it_was_looked_for() -> None:
    statements = Statements("treadle.kernel.catalog")

    with pytest.raises(AttributeError, match=r"treadle\.kernel\.catalog has no statement named 'nonsense'"):
        _ = statements.nonsense
