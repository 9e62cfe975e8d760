"""Rules that users write in Python, by name.

A contract names them (`type: custom, engine: python, implementation: no_overlap`) and never holds their code: a function is
there because the process that checks has imported it. Where it has not, the rule is reported as not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.prepare.errors import RuleRefused

About = Literal["rows", "table"]


@dataclass(frozen=True, slots=True)
class PythonCheck:
    """A registered function. columns: what it reads; None for all."""

    name: str
    function: Callable[..., Any]
    about: About
    columns: tuple[str, ...] | None

    def passing(self, frame: pl.DataFrame) -> pl.Series:
        """Which rows hold, as the function says. Raises RuleRefused for an answer of another shape."""
        given = self._asked(frame)
        try:
            answer = frame.select(given).to_series() if isinstance(given, pl.Expr) else given
        except PolarsError as error:
            raise self._refusal(str(error).splitlines()[0]) from error
        if not isinstance(answer, pl.Series) or answer.dtype != pl.Boolean or len(answer) not in (1, frame.height):
            raise self._refusal(f"It answers {type(given).__name__}.")
        return answer if len(answer) == frame.height else answer.new_from_index(0, frame.height)

    def figure(self, rows: pl.LazyFrame) -> Any:
        """What the function measures of the table."""
        given = self._asked(rows)
        if isinstance(given, pl.Expr):
            return rows.select(given).collect(engine="streaming").item()
        return given

    def _asked(self, rows: pl.DataFrame | pl.LazyFrame) -> Any:
        try:
            return self.function(rows)
        except Exception as error:  # the user's own code may fail in any way; it is said whose it was
            raise self._refusal(f"{type(error).__name__}: {error}") from error

    def _refusal(self, why: str) -> RuleRefused:
        wanted = "a boolean for every row, true where it holds" if self.about == "rows" else "one number"
        return RuleRefused(
            f"The Python rule {self.name!r} cannot be carried out.",
            why=why,
            fix=f"It takes a frame and answers {wanted}: a Series, an expression or, of a table, a number.",
        )


_registered: dict[str, PythonCheck] = {}


def register(check: PythonCheck) -> None:
    """Makes a rule known to this process; a later one of the same name replaces it."""
    _registered[check.name] = check


def find(name: str) -> PythonCheck | None:
    """The rule of that name, or None."""
    return _registered.get(name)
