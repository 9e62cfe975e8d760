"""Conditions and values that people write as SQL over the columns of one row: `wind > 200`, `abs(cups)`.

The one place where such a text is read, whoever asks: a rule of a contract, its `when`, a step of cleaning, the choice and
the mending of quarantined rows. What asks about more than one row is refused, since its value would depend on which rows
happen to be looked at together: a landing comes in batches.
"""

from __future__ import annotations

import re

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.prepare.errors import CleaningRefused, RuleRefused

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_OF_MANY_ROWS = re.compile(
    r"\b(avg|mean|count|first|last|max|median|min|quantile(?:_cont|_disc)?|std|stddev(?:_samp)?|stdev|sum|var|variance|"
    r"var_samp|corr|covar(?:_samp|_pop)?|array_agg|string_agg|rank|dense_rank|row_number|lag|lead|ntile|first_value|"
    r"last_value|unnest|explode)\s*\(|\bover\b|\bselect\b",
    re.IGNORECASE,
)
"""What draws rows together."""


def condition(text: str, schema: pl.Schema) -> pl.Expr:
    """Where the condition holds; null counts as no. Raises CleaningRefused for what is no condition over these columns."""
    return expression(text, schema, pl.Boolean()).fill_null(False)


def expression(
    text: str, schema: pl.Schema, dtype: pl.DataType | None = None, *, refusal: type[RuleRefused] = CleaningRefused
) -> pl.Expr:
    """A value for each row. Raises `refusal` where it cannot be carried out, or asks about more than one row."""
    of_one_row(text, refusal)
    try:
        value = pl.sql_expr(text)
        value = value if dtype is None else value.cast(dtype)
        pl.DataFrame(schema=schema).select(value)  # carried out: types that cannot be compared show only then
    except (PolarsError, TypeError) as error:
        raise refusal(
            f"{text!r} cannot be carried out.",
            why=str(error).splitlines()[0],
            fix="Write SQL over the columns of one row, such as: arr_time >= dep_time. In a rule `check`, what Polars' SQL "
            "does not know can be said in DuckDB's: dialect: duckdb",
        ) from error
    return value


def of_one_row(text: str, refusal: type[RuleRefused] = RuleRefused) -> None:
    """Nothing, for a text about one row. Raises `refusal` for one that draws rows together."""
    if found := _OF_MANY_ROWS.search(_QUOTED.sub("", text)):
        raise refusal(
            f"{text!r} asks about more than one row.",
            why=f"{found[0].rstrip('( ')} draws rows together.",
            fix="A rule about the table is `type: sql`, with a query that gives one number: "
            "select max(price) from ${table}",
        )
