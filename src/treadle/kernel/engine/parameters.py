"""The parameters of a pipeline: what it takes, in words for a form, and values from outside made what it takes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from treadle.ground.errors import did_you_mean
from treadle.kernel.engine.errors import ParametersWrong
from treadle.kernel.engine.pipelines import Pipeline
from treadle.kernel.engine.values import NotAParameter, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a pipeline. type: as its code says it, `int`; empty where it does not.

    default: as JSON; of a default that JSON cannot say, None, and `default_text` as Python shows it. choices: the only
    values, where the type lists them.
    """

    name: str
    type: str
    is_required: bool
    default: Any = None
    default_text: str = ""
    choices: tuple[Any, ...] = ()


def parameters_of(pipeline: Pipeline[..., Any]) -> list[Parameter]:
    """What the pipeline can be given by name, in the order of its body's signature."""
    return [_parameter(pipeline, each) for each in pipeline.signature.parameters.values() if _is_named(each)]


def converted(pipeline: Pipeline[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values by name as the body's annotations take them; defaults are left out.

    Raises ParametersWrong for a name that there is not, and for a value that does not fit.
    """
    known = {name: each for name, each in pipeline.signature.parameters.items() if _is_named(each)}
    for name in values:
        if name not in known:
            raise ParametersWrong(
                f"The pipeline {pipeline.name!r} has no parameter {name!r}.",
                why=did_you_mean(name, known) or f"It is declared as {pipeline.name}{pipeline.signature}.",
            )
    return {name: _value(pipeline, name, value) for name, value in values.items()}


def missing(pipeline: Pipeline[..., Any], values: Mapping[str, Any]) -> list[str]:
    """The parameters that have no default and no value."""
    return [one.name for one in parameters_of(pipeline) if one.is_required and one.name not in values]


def _value(pipeline: Pipeline[..., Any], name: str, value: Any) -> Any:
    try:
        return msgspec.convert(value, pipeline.types.get(name, Any))
    except msgspec.ValidationError as error:
        raise ParametersWrong(
            f"{value!r} is no value for {name} of {pipeline.name!r}.",
            why=str(error),
            fix=f"It is declared as {pipeline.name}{pipeline.signature}.",
        ) from error
    except TypeError:  # an annotation that says nothing about values
        return value


def _parameter(pipeline: Pipeline[..., Any], each: inspect.Parameter) -> Parameter:
    kind = pipeline.types.get(each.name, each.empty)
    is_required = each.default is each.empty
    default, text = None, ""
    if not is_required:
        text = repr(each.default)
        try:
            form = to_json(each.default)
            default = form if not isinstance(form, dict) or not any(key.startswith("$") for key in form) else None
        except NotAParameter:
            pass
    return Parameter(
        name=each.name,
        type="" if kind is each.empty else inspect.formatannotation(kind),
        is_required=is_required,
        default=default,
        default_text=text,
        choices=typing.get_args(kind) if typing.get_origin(kind) is Literal else (),
    )


def _is_named(each: inspect.Parameter) -> bool:
    return each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
