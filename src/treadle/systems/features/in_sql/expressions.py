"""Polars expressions as SQL, as far as both mean the same: columns, constants, arithmetic, comparisons, cases, casts.

What is not listed here is refused by name rather than guessed; a view that needs it can be defined by a query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from treadle.systems.features.errors import NotInSql
from treadle.systems.features.expressions import plain

_OPERATORS = {
    "Plus": "+", "Minus": "-", "Multiply": "*", "Gt": ">", "GtEq": ">=", "Lt": "<", "LtEq": "<=", "Eq": "=",
    "NotEq": "<>", "And": "and", "Or": "or", "LogicalAnd": "and", "LogicalOr": "or",
}  # fmt: skip

_TYPES = {
    "Float64": "double precision", "Float32": "real", "Int64": "bigint", "Int32": "integer", "Int16": "smallint",
    "Boolean": "boolean", "String": "varchar",
}  # fmt: skip

_FUNCTIONS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "Not": lambda parts: f"(not {parts[0]})",
    "IsNull": lambda parts: f"({parts[0]} is null)",
    "IsNotNull": lambda parts: f"({parts[0]} is not null)",
    "FillNull": lambda parts: f"coalesce({parts[0]}, {parts[1]})",
    "Coalesce": lambda parts: f"coalesce({', '.join(parts)})",
    "Abs": lambda parts: f"abs({parts[0]})",
    "Negate": lambda parts: f"(-{parts[0]})",
    "Sqrt": lambda parts: f"sqrt({parts[0]})",
    "Exp": lambda parts: f"exp({parts[0]})",
    "Lowercase": lambda parts: f"lower({parts[0]})",
    "Uppercase": lambda parts: f"upper({parts[0]})",
}


def quoted(name: str) -> str:
    """A name as an SQL identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as an SQL constant, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


def expression_sql(expression: pl.Expr) -> str:
    """The expression as SQL over columns of its names. Raises NotInSql."""
    return _sql(plain(expression), expression)


def _sql(node: Any, whole: pl.Expr) -> str:
    match node:
        case {"Column": str(name)}:
            return quoted(name)
        case {"Alias": [inner, _]}:
            return _sql(inner, whole)
        case {"Literal": literal}:
            return _literal(literal, whole)
        case {"BinaryExpr": {"left": left, "op": "TrueDivide", "right": right}}:
            return f"(cast({_sql(left, whole)} as double precision) / {_sql(right, whole)})"
        case {"BinaryExpr": {"left": left, "op": str(op), "right": right}} if op in _OPERATORS:
            return f"({_sql(left, whole)} {_OPERATORS[op]} {_sql(right, whole)})"
        case {"Cast": {"expr": inner, "dtype": {"Literal": str(dtype)}}} if dtype in _TYPES:
            return f"cast({_sql(inner, whole)} as {_TYPES[dtype]})"
        case {"Ternary": {"predicate": test, "truthy": yes, "falsy": no}}:
            return f"(case when {_sql(test, whole)} then {_sql(yes, whole)} else {_sql(no, whole)} end)"
        case {"Function": {"input": list(inputs), "function": function}}:
            return _function(function, [_sql(each, whole) for each in inputs], whole)
    raise _refusal(whole)


def _function(function: Any, parts: Sequence[str], whole: pl.Expr) -> str:
    if isinstance(function, dict) and len(function) == 1:
        [function] = function.values()
    if isinstance(function, str) and function in _FUNCTIONS:
        return _FUNCTIONS[function](parts)
    if isinstance(function, dict) and function.get("IsBetween") == {"closed": "Both"}:
        return f"({parts[0]} between {parts[1]} and {parts[2]})"
    raise _refusal(whole)


def _literal(literal: Any, whole: pl.Expr) -> str:
    match literal:
        case {"Dyn": {"Int": int(value)}}:
            return str(value)
        case {"Dyn": {"Float": int(value) | float(value)}}:
            return f"cast({value!r} as double precision)"
        case {"Scalar": {"Boolean": bool(value)}}:
            return "true" if value else "false"
        case {"Scalar": {"String": str(value)}}:
            return text_literal(value)
        case {"Scalar": {"Null": _}}:
            return "null"
        case {"Scalar": scalar} if isinstance(scalar, dict) and set(scalar) <= {"Int64", "Int32", "Float64"}:
            [value] = scalar.values()
            return f"cast({value!r} as double precision)" if "Float64" in scalar else str(int(value))
    raise _refusal(whole)


def _refusal(whole: pl.Expr) -> NotInSql:
    return NotInSql(
        f"The expression {whole} has no SQL that surely means the same.",
        fix="Define the view by a query (sql=...), whose text is used as it stands.",
    )
