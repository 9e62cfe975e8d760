"""What an endpoint says of itself in the protocol's words: inputs, outputs, versions, and what else a request may carry."""

from __future__ import annotations

from treadle.systems.serve.runtime.documents import RouteDocument
from treadle.systems.serve.runtime.models import ServedModel
from treadle.systems.serve.runtime.signature import ENTITY, EVENT_AT, FEATURE_AS_OF, MATRIX_INPUT
from treadle.wire.oip import ModelMetadata


def describe(document: RouteDocument, versions: tuple[str, ...], model: ServedModel) -> ModelMetadata:
    """The metadata of one version of an endpoint.

    `inputs` has a tensor a column; where the columns share a numeric type, the parameter `matrix_input` names the one
    tensor that may stand for all of them.
    """
    signature = model.signature
    parameters: dict[str, str | int | float | bool] = {
        "optional_inputs": f"{ENTITY}:BYTES[-1],{FEATURE_AS_OF}:INT64[-1]",
        "max_rows": document.limits.max_rows,
    }
    if document.allow_backdating:
        parameters["optional_inputs"] = f"{parameters['optional_inputs']},{EVENT_AT}:INT64[-1]"
    if model.plan.takes_matrix:
        parameters["matrix_input"] = f"{MATRIX_INPUT}:{signature.matrix_datatype}[-1,{len(signature.inputs)}]"
    return ModelMetadata(
        name=document.endpoint,
        versions=versions,
        platform=f"treadle_{model.engine.name}",
        inputs=signature.input_tensors(),
        outputs=signature.output_tensors(),
        parameters=parameters,
    )
