"""What an endpoint says of itself in the protocol's words: inputs, outputs, versions, and what else a request may carry."""

from __future__ import annotations

from treadle.systems.serve.runtime.documents import FeatureSource, RouteDocument
from treadle.systems.serve.runtime.models import ServedModel
from treadle.systems.serve.runtime.signature import ENTITY, EVENT_AT, FEATURE_AS_OF, MATRIX_INPUT
from treadle.wire.oip import ModelMetadata, TensorMetadata


def describe(document: RouteDocument, versions: tuple[str, ...], model: ServedModel) -> ModelMetadata:
    """The metadata of one version of an endpoint.

    `inputs` has a tensor a column; where the columns share a numeric type, the parameter `matrix_input` names the one
    tensor that may stand for all of them. Where the server reads the features, the inputs are keys and values on demand.
    """
    signature = model.signature
    parameters: dict[str, str | int | float | bool] = {
        "optional_inputs": f"{ENTITY}:BYTES[-1],{FEATURE_AS_OF}:INT64[-1]",
        "max_rows": document.limits.max_rows,
    }
    if document.allow_backdating:
        parameters["optional_inputs"] = f"{parameters['optional_inputs']},{EVENT_AT}:INT64[-1]"
    source = document.features
    if source is not None:
        parameters["feature_service"] = source.service
    elif model.plan.takes_matrix:
        parameters["matrix_input"] = f"{MATRIX_INPUT}:{signature.matrix_datatype}[-1,{len(signature.inputs)}]"
    return ModelMetadata(
        name=document.endpoint,
        versions=versions,
        platform=f"treadle_{model.engine.name}",
        inputs=signature.input_tensors() if source is None else _asked(source),
        outputs=signature.output_tensors(),
        parameters=parameters,
    )


def _asked(source: FeatureSource) -> tuple[TensorMetadata, ...]:
    """What a keyed endpoint takes. A value on demand may come in any datatype; the one that is named here always does."""
    datatypes = dict(source.keys)
    return tuple(
        TensorMetadata(
            name=name,
            datatype=datatypes.get(name, "FP64"),
            shape=(-1,),
            parameters={"role": "key" if name in datatypes else "on_demand"},
        )
        for name in source.asked
    )
