"""`td.rule`: rules that are written in Python, and named by contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def rule(function: Function, /) -> Function: ...


@overload
def rule(
    *, about: Literal["rows", "table"] = "rows", columns: Sequence[str] | None = None, name: str | None = None
) -> Callable[[Function], Function]: ...


def rule(
    function: Any = None,
    /,
    *,
    about: Literal["rows", "table"] = "rows",
    columns: Sequence[str] | None = None,
    name: str | None = None,
) -> Any:
    """Makes a function a rule that contracts may name: `type: custom, engine: python, implementation: no_overlap`.

    about rows: it takes a `polars.DataFrame`, a batch, and answers which rows hold: an expression or a boolean Series, where
    null is unknown and no failure. It must judge each row by itself. about the table: it takes a `polars.LazyFrame` of all
    rows and answers one number, or an expression that gives one; the contract says from where to where it is good.
    columns: those that it reads; without, all are read. name: without, the function's own.
    The rule is asked where the module that marks it was imported, and reported as not asked elsewhere.
    """

    def mark(marked: Function) -> Function:
        from treadle.systems.prepare.python_rules import PythonCheck, register

        said = name or marked.__name__
        register(PythonCheck(said, marked, about, None if columns is None else tuple(columns)))
        return marked

    return mark if function is None else mark(function)
