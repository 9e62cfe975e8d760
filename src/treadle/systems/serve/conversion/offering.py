"""The candidates of a model: the forms that a server could run instead of it, and itself.

In the order in which they are preferred where their speed is alike: native, ONNX in float64, ONNX in float32, original.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np

from treadle.ground.errors import MissingExtra
from treadle.systems.serve.conversion.forms import Floats, ForestForm, Form, LinearForm
from treadle.systems.serve.conversion.reading import form_of
from treadle.systems.serve.conversion.records import ORIGINAL, Candidate
from treadle.systems.serve.conversion.to_lightgbm import lightgbm_text
from treadle.systems.serve.conversion.to_onnx import Precision, onnx_graph
from treadle.systems.serve.runtime.engines import EngineOptions
from treadle.systems.serve.runtime.engines.linear import LinearFile

_PRECISIONS: tuple[Precision, ...] = ("float64", "float32")


def offer(
    model: Any, *, engine: str, content: bytes, options: EngineOptions, task: str, columns: int
) -> list[Candidate]:
    """The candidates of a model object, itself last. engine, content, options: how it is served unconverted.

    What cannot be made is in the list with the reason. Cost: for a forest, about 1 s for a million nodes.
    """
    original = Candidate(name=ORIGINAL, engine=engine, content=content, options=options)
    if engine != "sklearn":
        return [original]
    form = form_of(model, task=task)
    if form is not None:
        return [_native(form), *_graphs(form), original]
    return [*_by_skl2onnx(model, task, columns), original]


def _native(form: Form) -> Candidate:
    if isinstance(form, LinearForm):
        return Candidate(name="native", engine="linear", content=linear_file(form))
    if find_spec("lightgbm") is None:
        missing = MissingExtra.of("lightgbm", "lightgbm", "Serving trees natively")
        return Candidate(name="native", engine="lightgbm", content=None, reason=" ".join(missing.sentences()))
    options = EngineOptions(rounds_inputs=form.rounds_inputs)
    return Candidate(name="native", engine="lightgbm", content=lightgbm_text(form), options=options)


def linear_file(form: LinearForm) -> bytes:
    """The file of the engine `linear`."""
    return msgspec.json.encode(
        LinearFile(
            weights=form.weights.tolist(),
            intercept=form.intercept.tolist(),
            link=form.link,
            shift=_listed(form.shift),
            scale=_listed(form.scale),
            fill=_listed(form.fill),
        )
    )


def _listed(values: Floats | None) -> list[float] | None:
    return None if values is None else values.tolist()


def _graphs(form: Form) -> Iterator[Candidate]:
    for precision in _PRECISIONS:
        name = f"onnx-{precision}"
        if isinstance(form, ForestForm) and form.has_categories:
            yield Candidate(name=name, engine="onnx", content=None, reason="No operator takes its sets of categories.")
        else:
            yield _made(name, partial(onnx_graph, form, precision))


def _by_skl2onnx(model: Any, task: str, columns: int) -> Iterator[Candidate]:
    if find_spec("skl2onnx") is None:
        missing = MissingExtra.of("skl2onnx", "convert", f"Converting a {type(model).__name__}")
        yield Candidate(name="onnx-float64", engine="onnx", content=None, reason=" ".join(missing.sentences()))
        return
    for precision in _PRECISIONS:
        yield _made(f"onnx-{precision}", partial(_skl2onnx, model, task, columns, precision))


def _skl2onnx(model: Any, task: str, columns: int, precision: Precision) -> bytes:
    import skl2onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = FloatTensorType if precision == "float32" else DoubleTensorType
    settings = {} if task == "regression" else {id(model): {"zipmap": False}}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        graph = skl2onnx.to_onnx(model, initial_types=[("input", kind([None, columns]))], options=settings)
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def _made(name: str, make: Callable[[], bytes | None]) -> Candidate:
    """The candidate; a converter may fail in any way on any model, and that is a finding, not an error."""
    try:
        return Candidate(name=name, engine="onnx", content=make())
    except MissingExtra as missing:
        reason = " ".join(missing.sentences())
    except Exception as problem:
        reason = f"The converter failed: {type(problem).__name__}: {problem}"
    return Candidate(name=name, engine="onnx", content=None, reason=reason.replace("\n", " ")[:300])
