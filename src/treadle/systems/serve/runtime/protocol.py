"""What the protocol can ask of this server, whichever transport it comes by: REST and gRPC translate, this answers."""

from __future__ import annotations

from treadle import __version__
from treadle.ground.errors import did_you_mean
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision, RouteTable
from treadle.systems.serve.runtime.errors import NoSuchModel, NotAllowed, Overloaded, UnknownInput, WrongInput
from treadle.systems.serve.runtime.explaining import MOST_ROWS
from treadle.systems.serve.runtime.inference import Answer
from treadle.wire.oip import (
    InferRequest,
    ModelConfig,
    ModelStatistics,
    OutputTensor,
    Parameter,
    ServerMetadata,
    config_of,
    raw_infer_request,
)

EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration", "statistics")
EXPLAIN = "explain"
"""The parameter of a request that asks what each input adds to each prediction."""
SERVER = ServerMetadata(name="treadle", version=__version__, extensions=EXTENSIONS)


class Protocol:
    """The questions that cost no inference, over a route table."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self.is_draining = False

    def check_ready(self) -> dict[str, str]:
        """The documents that are refused, beside which others serve. Raises Overloaded when nothing does."""
        if self.is_draining:
            raise Overloaded("This server is stopping.")
        failures = self.table.failures
        if not self.table.live:
            first = next(iter(failures.items()), None)
            raise Overloaded(
                "No endpoint is served yet.", why=f"{first[0]}: {first[1]}" if first else "", fix="Deploy one."
            )
        return failures

    def find(self, name: str, version: str | None = None) -> tuple[LiveEndpoint, LiveRevision | None]:
        """An endpoint, and the revision that serves a version where one is named. Raises NoSuchModel."""
        endpoint = self.table.live.get(name)
        if endpoint is None:
            why = self.table.failures.get(name, "It was unloaded." if name in self.table.unloaded() else "")
            raise NoSuchModel(f"No endpoint {name!r} is served here.", why=why, fix=did_you_mean(name, self.table.live))
        if version is None:
            return endpoint, None
        revision = endpoint.of_version(version)
        if revision is None:
            known = endpoint.metadata[None].versions
            raise NoSuchModel(
                f"Endpoint {name!r} does not serve version {version!r}.", fix=did_you_mean(version, known)
            )
        return endpoint, revision

    def config(self, endpoint: LiveEndpoint, version: str | None) -> ModelConfig:
        """Triton's configuration of a version."""
        revision = endpoint.revisions[0] if version is None else endpoint.of_version(version)
        assert revision is not None
        return config_of(endpoint.metadata[version], revision.model.engine.name)

    def statistics(self, name: str | None = None, version: str | None = None) -> list[ModelStatistics]:
        """The figures of a version, of an endpoint's versions, or of all. Raises NoSuchModel."""
        endpoints = self.table.live.values() if name is None else [self.find(name, version)[0]]
        return [
            self.table.figures[endpoint.name, one].told(endpoint.name, one)
            for endpoint in endpoints
            for one in endpoint.metadata[None].versions
            if version in (None, one)
        ]


def wants_explanation(request: InferRequest) -> bool:
    """Whether the request asks what each input adds. Raises WrongInput, and NotAllowed for more rows than are explained."""
    asked = request.parameters.get(EXPLAIN, False)
    if not isinstance(asked, bool):
        raise WrongInput(f"The parameter {EXPLAIN!r} is true or false.")
    rows = request.inputs[0].shape[0] if asked and request.inputs and request.inputs[0].shape else 0
    if rows > MOST_ROWS:
        raise NotAllowed(
            f"{rows} rows are to be explained; {MOST_ROWS} are in one request.", fix="Ask for fewer at once."
        )
    return asked


def check_outputs(endpoint: LiveEndpoint, request: InferRequest) -> None:
    """Raises UnknownInput for an output that the endpoint does not have, before anything is predicted and logged."""
    if request.outputs is None:
        return
    known = {tensor.name for tensor in endpoint.metadata[None].outputs} | {"revision"}
    if request.parameters.get(EXPLAIN):
        known |= {"attributions", "attribution_base"}
    for asked in request.outputs:
        if asked.name not in known:
            raise UnknownInput(f"This model has no output {asked.name!r}.", fix=did_you_mean(asked.name, known))


def wanted_outputs(request: InferRequest, answer: Answer) -> list[OutputTensor]:
    """The outputs that the request names, in its order and form; all of them when it names none."""
    outputs = answer.outputs()
    if request.outputs is None:
        if request.binary_output:
            for output in outputs:
                output.binary = True
        return outputs
    by_name = {output.name: output for output in outputs}
    wanted = []
    for asked in request.outputs:
        output = by_name.get(asked.name) or answer.revision_tensor()
        output.binary = asked.binary
        wanted.append(output)
    return wanted


def answer_parameters(answer: Answer) -> dict[str, Parameter]:
    """What an answer says beside its tensors: the first prediction's id and, where one revision answered, its number."""
    parameters: dict[str, Parameter] = {"prediction_id": answer.ids[0]}
    if answer.revision is not None:
        parameters["revision"] = answer.revision.number
    if answer.explanation is not None:
        parameters["attribution_method"] = answer.explanation.method
        parameters["attribution_scale"] = answer.explanation.scale
        parameters["attribution_inputs"] = ",".join(column.name for column in answer.signature.inputs)
    return parameters


def raw_request(endpoint: LiveEndpoint, body: bytes) -> InferRequest:
    """The request of a body that is the endpoint's one input and nothing else. Raises UnknownInput when it has more."""
    keyed = endpoint.document.features is not None
    tensor = None if keyed else endpoint.revisions[0].model.plan.only_input
    if tensor is None:
        raise UnknownInput(
            f"Endpoint {endpoint.name!r} takes several inputs, so a raw body does not say which one it is.",
            fix="Send a JSON part that names them, and its length as Inference-Header-Content-Length.",
        )
    return raw_infer_request(body, *tensor)
