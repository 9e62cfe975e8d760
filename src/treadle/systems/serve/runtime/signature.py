"""What a served model takes and gives: names, datatypes, categories, the positive class, the threshold.

A signature is a JSON document that stands in the model's manifest. The whole pipeline form of a model is here: columns in
the order of the estimator's features, each a number or a category with its string-to-code mapping; then the estimator
gets one float64 matrix. So the server needs no pandas, and a replay rebuilds the very same matrix.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from treadle.wire.oip import DATATYPES, TensorMetadata

ENTITY, EVENT_AT, FEATURE_AS_OF = "entity", "event_at", "feature_as_of"
RESERVED = {ENTITY, EVENT_AT, FEATURE_AS_OF}
"""Inputs that every endpoint takes beside its model's own: whom a row is about, when it happened, how old its features are."""

FEATURES = "features"
"""The parameter that names the frame from which a request's vectors were taken, by its digest."""

MATRIX_INPUT = "input"
"""The one tensor that may stand for all columns, where they share a numeric type."""

Task = Literal["binary", "multiclass", "regression"]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input. Categories have datatype BYTES, and a string's code is its place in `categories`."""

    name: str
    datatype: str = "FP64"
    nullable: bool = False
    categories: tuple[str, ...] | None = None
    unknown: Literal["missing", "refuse"] = "missing"
    """What a string outside of `categories` is: a missing value to the model, or an error to the client."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model takes and gives. Raises ValueError when its parts contradict each other.

    binary: outputs `probability` (of `positive_class`, which is `classes[1]` unless told) and, with a threshold,
    `decision`. multiclass: `probabilities` in the order of `classes`, and `label`. regression: `prediction`.
    """

    inputs: tuple[Column, ...]
    task: Task
    classes: tuple[str, ...] = ()
    positive_class: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.inputs]
        if not names:
            raise ValueError("a signature needs at least one input")
        doubled = {name for name in names if names.count(name) > 1}
        taken = sorted(RESERVED.intersection(names)) or sorted(doubled)
        if taken:
            raise ValueError(f"input name {taken[0]!r} is {'reserved' if taken[0] in RESERVED else 'there twice'}")
        if MATRIX_INPUT in names and len(names) > 1:
            raise ValueError(f"input name {MATRIX_INPUT!r} is reserved for the matrix of all columns")
        for column in self.inputs:
            if column.datatype not in DATATYPES:
                raise ValueError(f"input {column.name!r} has the unknown datatype {column.datatype!r}")
            if (column.datatype == "BYTES") != (column.categories is not None):
                raise ValueError(f"input {column.name!r}: categories and datatype BYTES go together")
        if self.task == "multiclass" and len(self.classes) < 2:
            raise ValueError("a multiclass signature names its classes")
        if self.positive_class is not None and self.positive_class not in self.classes:
            raise ValueError(f"the positive class {self.positive_class!r} is not among the classes")
        if self.threshold is not None and self.task != "binary":
            raise ValueError("a threshold belongs to a binary task")

    @property
    def positive_index(self) -> int:
        """The column of the positive class among an estimator's class probabilities."""
        return self.classes.index(self.positive_class) if self.positive_class is not None else 1

    @property
    def matrix_datatype(self) -> str | None:
        """The numeric type that all inputs share, None when there is none."""
        types = {column.datatype for column in self.inputs}
        return types.pop() if len(types) == 1 and "BYTES" not in types else None

    @property
    def width(self) -> int:
        """How many float64 the estimator answers for a row."""
        return len(self.classes) if self.task == "multiclass" else 1

    def shape(self) -> tuple[object, ...]:
        """What two models must share to stand behind one endpoint at once: their categories may differ."""
        return tuple((one.name, one.datatype) for one in self.inputs), self.task, self.classes, self.threshold is None

    def input_tensors(self) -> tuple[TensorMetadata, ...]:
        """The inputs as the protocol tells them: one tensor a column."""
        return tuple(_input(column) for column in self.inputs)

    def output_tensors(self) -> tuple[TensorMetadata, ...]:
        """The outputs as the protocol tells them; every endpoint adds `prediction_id`."""
        identity = TensorMetadata(name="prediction_id", datatype="BYTES", shape=(-1,))
        if self.task == "regression":
            return TensorMetadata(name="prediction", datatype="FP64", shape=(-1,)), identity
        if self.task == "multiclass":
            probabilities = TensorMetadata(
                name="probabilities",
                datatype="FP64",
                shape=(-1, self.width),
                parameters={"classes": ",".join(self.classes)},
            )
            return probabilities, TensorMetadata(name="label", datatype="BYTES", shape=(-1,)), identity
        of = {"positive_class": self.positive_class} if self.positive_class is not None else {}
        probability = TensorMetadata(name="probability", datatype="FP64", shape=(-1,), parameters={**of})
        if self.threshold is None:
            return probability, identity
        decision = TensorMetadata(
            name="decision", datatype="BOOL", shape=(-1,), parameters={"threshold": self.threshold}
        )
        return probability, decision, identity


def _input(column: Column) -> TensorMetadata:
    parameters: dict[str, str | int | float | bool] = {"nullable": column.nullable}
    if column.categories is not None:
        parameters |= {"categories": len(column.categories), "unknown": column.unknown}
    return TensorMetadata(name=column.name, datatype=column.datatype, shape=(-1,), parameters=parameters)
