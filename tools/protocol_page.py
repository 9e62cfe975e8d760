"""The page of the Open Inference Protocol: what is answered over REST and gRPC, as the code declares it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from treadle.systems.serve.runtime import grpc_methods, grpc_server, protocol_addresses
from treadle.systems.serve.runtime.bodies import PACK_FROM_BYTES
from treadle.systems.serve.runtime.protocol import EXTENSIONS
from treadle.systems.serve.runtime.signature import MATRIX_INPUT
from treadle.wire.oip import DATATYPES, openapi
from treadle.wire.oip.protobuf_requests import CONTENT_FIELDS


def protocol_page(notice: str) -> str:
    """The text of docs/reference/protocol.md."""
    return "\n".join(_lines(notice)) + "\n"


def _lines(notice: str) -> Iterator[str]:
    yield from ("# The Open Inference Protocol", "", notice, "")
    yield "What the model server answers of version 2 of the protocol, with Triton's extensions. How to ask it:"
    yield "[ask an endpoint](../how-to/ask-an-endpoint.md). A server's own `/v2/openapi.json` says the REST half to programs."
    yield ""
    yield "Whether a server speaks it, this one or another, is asked from outside by 39 checks:"
    yield "`python -m tests.wire.oip.conformance --http URL --grpc HOST:PORT --model NAME --width N`. All of them hold here."
    yield from ("", f"Extensions that `GET /v2` names: {', '.join(f'`{name}`' for name in EXTENSIONS)}.")
    yield from ("", "## REST", "", "| method | path | answers |", "| --- | --- | --- |")
    for path, operations in openapi("")["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                yield f"| {method.upper()} | `{path}` | {operation['summary']} |"
    yield from ("", *_rest_words())
    yield from ("", "## gRPC", "", "| service | method | |", "| --- | --- | --- |")
    yield from sorted(_methods())
    yield from ("", *_grpc_words())
    yield from ("", "| status of REST | code of gRPC |", "| --- | --- |")
    yield from (f"| {status} | {code} |" for status, code in grpc_server.CODES.items())
    yield "| any other | INTERNAL |"
    yield from (
        "",
        "## Datatypes",
        "",
        "| datatype | bytes in binary | in JSON | typed contents of gRPC |",
        "| --- | --- | --- | --- |",
    )
    for name, kind in DATATYPES.items():
        size = kind.wire_bytes or "4, and those of the element"
        typed = "yes" if name in CONTENT_FIELDS else "no"
        yield f"| {name} | {size} | {'yes' if kind.in_json else 'no'} | {typed} |"
    yield from (
        "",
        "## What is left out",
        "",
        "These of Triton's extensions answer 501 or UNIMPLEMENTED, with what to do instead.",
        "",
    )
    left_out = {f"`{path}`": fix for path, fix in protocol_addresses.NOT_SERVED.items()}
    left_out |= {f"`{name}`": fix for name, fix in grpc_methods.NOT_SERVED.items()}
    yield from ("| | |", "| --- | --- |")
    yield from (f"| {name} | {fix} |" for name, fix in left_out.items())


def _rest_words() -> Iterator[str]:
    yield "- Tensors come as JSON (flat or nested `data`, null for a missing value), as binary behind the JSON part"
    yield "  (`Inference-Header-Content-Length`), or as a raw body that is the one input (that header is 0)."
    yield f"- Where all inputs share a numeric type, one tensor `{MATRIX_INPUT}` of shape [-1, columns] may stand for them; the"
    yield "  metadata says so as `matrix_input`. `optional_inputs` names what any request may carry beside its model's inputs."
    yield "- Where the server reads the features (`feature_service` in the metadata), the inputs are entity keys and values on demand,"
    yield "  each with its `role`; a store that does not answer in time is a 503, or a prediction from nulls, as the endpoint says."
    yield '- `parameters: {"explain": true}` adds the output `attributions`, FP64 [rows, columns], what each input adds to each prediction, and'
    yield "  `attribution_base`, FP64 [rows], what the sum is without them; the parameters `attribution_method`, `attribution_scale` and"
    yield "  `attribution_inputs` (the columns' names, in order) say what they are. Over gRPC alike."
    yield f"- Bodies may be packed (gzip, deflate); answers from {PACK_FROM_BYTES} bytes on are, where `Accept-Encoding` allows it."
    yield '- Every refusal is `{"error": "..."}` with a 4xx, or 503 and `Retry-After`. HEAD is GET without the body.'
    yield "- `max_batch_size` in the configuration is 0: shapes say the rows themselves."


def _methods() -> Iterator[str]:
    methods: Any = grpc_methods.GrpcMethods
    kinds = {"unary": "", "server_streams": "a stream of answers", "both_streams": "streams of requests and answers"}
    for kind, words in kinds.items():
        for path in getattr(methods, kind)(methods):
            _, service, name = path.split("/")
            if name not in grpc_methods.NOT_SERVED:
                yield f"| `{service}` | {name} | {words} |"


def _grpc_words() -> Iterator[str]:
    yield "- Answers go back raw where the request's tensors came raw, typed where they came typed."
    yield "- Within a stream of inferences a mistake is an answer with `error_message`, and the stream goes on."
    yield "- A call that may be tried again ends with `grpc-retry-pushback-ms`. The token is the metadata `authorization`."
    yield f"- A message may have {grpc_server.MAX_MESSAGE_BYTES >> 20} MiB, unpacked, and no more than its endpoint's limit."
    yield "- A model that is not served is not ready; that is no error."
