"""From what a client sent to what an estimator takes: one float64 matrix, in the order of the signature.

An `InputPlan` is compiled once per model. It takes a request of the protocol (one matrix tensor, or a tensor a column) or
plain rows, checks names, datatypes, shapes and nulls, and answers a `Batch`; or an error that says which input, which
element, and what was wanted. Nothing is guessed: widening is done only where it loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.ground.errors import did_you_mean
from treadle.systems.serve.runtime.errors import MissingInput, UnknownInput, WrongInput
from treadle.systems.serve.runtime.row_facts import RowFacts, facts_of_tensors
from treadle.systems.serve.runtime.signature import MATRIX_INPUT, RESERVED, Column, Signature
from treadle.wire.oip import DATATYPES, InferRequest, Tensor

EXACT_INTEGERS = 2**53
"""Beyond this a float64 no longer tells neighbouring whole numbers apart."""

Unknown = tuple[int, int, str]
"""Row, column and text of a category that the signature does not have."""


@dataclass(slots=True)
class Batch:
    """Rows ready for an estimator. matrix: float64 (n, k), C-contiguous, NaN for missing, categories by their code."""

    matrix: NDArray[np.float64]
    unknown: list[Unknown]
    facts: RowFacts

    def rows(self, at: NDArray[np.intp]) -> Batch:
        """The batch of some of its rows."""
        place = {int(row): new for new, row in enumerate(at)}
        unknown = [(place[row], column, text) for row, column, text in self.unknown if row in place]
        return Batch(np.ascontiguousarray(self.matrix[at]), unknown, self.facts.rows(at.tolist()))


class InputPlan:
    """A signature, compiled."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.columns = signature.inputs
        self.index = {column.name: at for at, column in enumerate(self.columns)}
        self.codes = [
            None if column.categories is None else {text: float(code) for code, text in enumerate(column.categories)}
            for column in self.columns
        ]
        self.matrix_datatype = signature.matrix_datatype
        self.takes_matrix = self.matrix_datatype is not None and MATRIX_INPUT not in self.index
        self._strict = [at for at, column in enumerate(self.columns) if not column.nullable]

    @property
    def only_input(self) -> tuple[str, str, int | None] | None:
        """Name, datatype and width of the one tensor that can be a whole request (width None: of one dimension)."""
        if self.takes_matrix and self.matrix_datatype is not None:
            return MATRIX_INPUT, self.matrix_datatype, len(self.columns)
        if len(self.columns) == 1:
            return self.columns[0].name, self.columns[0].datatype, None
        return None

    # -- the protocol's requests ------------------------------------------------------------------------------------

    def from_request(self, request: InferRequest) -> Batch:
        """The batch of a protocol request. Raises UnknownInput, MissingInput or WrongInput."""
        tensors: dict[str, Tensor] = {}
        for tensor in request.inputs:
            if tensor.name in tensors:
                raise WrongInput(f"Input {tensor.name!r} is there twice.")
            tensors[tensor.name] = tensor
        unknown: list[Unknown] = []
        if self.takes_matrix and MATRIX_INPUT in tensors:
            matrix = self._from_matrix(tensors.pop(MATRIX_INPUT))
            named = [name for name in tensors if name not in RESERVED]
            if named:
                raise UnknownInput(
                    f"Input {named[0]!r} cannot stand beside {MATRIX_INPUT!r}, which holds all columns.",
                    fix="Send the matrix or the columns, not both.",
                )
        else:
            matrix = self._from_columns(tensors, unknown)
        self._refuse_nulls(matrix)
        facts = facts_of_tensors(tensors, request.parameters, len(matrix))
        return Batch(matrix, unknown, facts)

    def _from_matrix(self, tensor: Tensor) -> NDArray[np.float64]:
        width = len(self.columns)
        if len(tensor.shape) != 2 or tensor.shape[1] != width:
            raise WrongInput(
                f"Input {MATRIX_INPUT!r} has shape {list(tensor.shape)}, but this model takes [-1, {width}].",
                fix=f"Send {width} columns in this order: {self._names()}.",
            )
        assert self.matrix_datatype is not None
        values = _as_float64(tensor, self.matrix_datatype).reshape(tensor.shape)
        return self._at_least_one(values)

    def _from_columns(self, tensors: Mapping[str, Tensor], unknown: list[Unknown]) -> NDArray[np.float64]:
        for name in tensors:
            if name not in self.index and name not in RESERVED:
                raise self._unknown_input(name)
        rows = -1
        matrix: NDArray[np.float64] | None = None
        for at, column in enumerate(self.columns):
            tensor = tensors.get(column.name)
            if tensor is None:
                raise self._missing_input(column)
            rows = _row_count(tensor, rows)
            if matrix is None:
                matrix = np.empty((rows, len(self.columns)))
            if self.codes[at] is None:
                matrix[:, at] = _as_float64(tensor, column.datatype)
            else:
                if tensor.datatype != "BYTES":
                    raise _wrong_datatype(column.name, "BYTES", tensor.datatype)
                self._encode(at, tensor.values, matrix, unknown)
        assert matrix is not None
        return self._at_least_one(matrix)

    # -- plain rows -------------------------------------------------------------------------------------------------

    def from_rows(self, rows: Sequence[Mapping[str, Any]], facts: RowFacts | None = None) -> Batch:
        """The batch of rows with named columns. Raises UnknownInput, MissingInput or WrongInput, naming the row."""
        for at, row in enumerate(rows):
            if len(row) != len(self.index) or row.keys() != self.index.keys():
                self._refuse_names(at, row)
        matrix = np.empty((len(rows), len(self.columns)))
        unknown: list[Unknown] = []
        for at, column in enumerate(self.columns):
            values = [row[column.name] for row in rows]
            if self.codes[at] is None:
                matrix[:, at] = [_number(value, column, row) for row, value in enumerate(values)]
            else:
                self._encode(at, values, matrix, unknown)
        self._at_least_one(matrix)
        self._refuse_nulls(matrix)
        return Batch(matrix, unknown, facts or RowFacts())

    def _refuse_names(self, at: int, row: Mapping[str, Any]) -> None:
        for name in row:
            if name not in self.index:
                raise self._unknown_input(name, f" in row {at}")
        for column in self.columns:
            if column.name not in row:
                raise self._missing_input(column, f" in row {at}")

    # -- what both share --------------------------------------------------------------------------------------------

    def _encode(self, at: int, values: Sequence[Any], matrix: NDArray[np.float64], unknown: list[Unknown]) -> None:
        column, codes = self.columns[at], self.codes[at]
        assert codes is not None
        for row, value in enumerate(values):
            text = _text(value, column.name, row)
            code = np.nan if text is None else codes.get(text)
            if code is None:
                if column.unknown == "refuse":
                    known = did_you_mean(str(text), codes)
                    raise WrongInput(f"Input {column.name!r}, row {row}: {text!r} is no known category.", fix=known)
                unknown.append((row, at, str(text)))
                code = np.nan
            elif text is None and not column.nullable:
                raise _null(column.name, row)
            matrix[row, at] = code

    def _refuse_nulls(self, matrix: NDArray[np.float64]) -> None:
        if not self._strict:
            return
        flat = matrix.ravel()
        squares = np.vdot(flat, flat)  # half the cost of `@`, and immense values make no warning
        if squares == squares:  # A NaN anywhere makes the sum NaN; this costs a fifth of asking each element.
            return
        for at in self._strict:
            if self.codes[at] is None and (missing := np.flatnonzero(np.isnan(matrix[:, at]))).size:
                raise _null(self.columns[at].name, int(missing[0]))

    def _at_least_one(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(matrix):
            raise WrongInput("The request has no rows.", fix="Send at least one.")
        return matrix

    def _unknown_input(self, name: str, where: str = "") -> UnknownInput:
        return UnknownInput(f"This model has no input {name!r}{where}.", fix=did_you_mean(name, self.index))

    def _missing_input(self, column: Column, where: str = "") -> MissingInput:
        return MissingInput(
            f"Input {column.name!r} ({column.datatype}) is missing{where}.",
            fix="Send null where a value is unknown." if column.nullable else f"This model takes: {self._names()}.",
        )

    def _names(self) -> str:
        names = [column.name for column in self.columns]
        return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")


def _row_count(tensor: Tensor, rows: int) -> int:
    shape = tensor.shape
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise WrongInput(f"Input {tensor.name!r} has shape {list(shape)}, but a column has shape [-1].")
    if rows not in (-1, shape[0]):
        raise WrongInput(
            f"Input {tensor.name!r} has {shape[0]} rows, the inputs before it {rows}.",
            fix="Send the same number of rows in every column.",
        )
    return shape[0]


def _as_float64(tensor: Tensor, wanted: str) -> NDArray[np.float64]:
    """The values as float64, (n,), where this loses nothing. Raises WrongInput otherwise."""
    given = tensor.datatype
    if given != wanted and not _widens(given, wanted):
        raise _wrong_datatype(tensor.name, wanted, given)
    values = np.asarray(tensor.values)
    if values.dtype == np.float64:
        return values
    long = values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size > 0
    if long and (values.max() > EXACT_INTEGERS or values.min() < -EXACT_INTEGERS):
        raise WrongInput(f"Input {tensor.name!r} holds a whole number beyond 2^53, which a float64 cannot hold.")
    wide: NDArray[np.float64] = values.astype(np.float64)
    if tensor.nulls is not None:
        wide[tensor.nulls] = np.nan
    return wide


def _widens(given: str, wanted: str) -> bool:
    source, target = DATATYPES[given], DATATYPES[wanted]
    if source.dtype is None or target.dtype is None or source.kind == "bool":
        return False
    return bool(np.can_cast(source.dtype, target.dtype, "safe"))


def _number(value: Any, column: Column, row: int) -> float:
    """A value of a plain row as float64. Raises WrongInput for another kind of value, or a number out of range."""
    if value is None:
        if not column.nullable:
            raise _null(column.name, row)
        return float("nan")
    kind = DATATYPES[column.datatype].kind
    if kind == "bool":
        if isinstance(value, bool):
            return float(value)
    elif not isinstance(value, bool):
        if kind == "float" and isinstance(value, int | float):
            return _finite_float(value, column, row)
        if kind == "int" and isinstance(value, int):
            return _whole(value, column, row)
    raise WrongInput(
        f"Input {column.name!r}, row {row}: {value!r} is no {column.datatype}.",
        fix="Send a number." if kind != "bool" else "Send true or false.",
    )


def _finite_float(value: int | float, column: Column, row: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise WrongInput(f"Input {column.name!r}, row {row}: the number is too large.") from None


def _whole(value: int, column: Column, row: int) -> float:
    dtype = DATATYPES[column.datatype].dtype
    assert dtype is not None
    limits = np.iinfo(dtype)
    if not max(int(limits.min), -EXACT_INTEGERS) <= value <= min(int(limits.max), EXACT_INTEGERS):
        raise WrongInput(f"Input {column.name!r}, row {row}: {value} lies outside of {column.datatype}.")
    return float(value)


def _text(value: Any, name: str, row: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise WrongInput(f"Input {name!r}, row {row}: the bytes are no UTF-8.") from None
    raise WrongInput(f"Input {name!r}, row {row}: {value!r} is no string.", fix="Send the category as a string.")


def _wrong_datatype(name: str, wanted: str, given: str) -> WrongInput:
    return WrongInput(
        f"Input {name!r} has datatype {given}, but this model takes {wanted}.",
        fix=f"Send it as {wanted}; only what loses nothing is converted.",
    )


def _null(name: str, row: int) -> WrongInput:
    return WrongInput(
        f"Input {name!r}, row {row}: the value is missing, and this input may not be null.",
        fix="Send a value, or deploy a model whose signature allows null here.",
    )
