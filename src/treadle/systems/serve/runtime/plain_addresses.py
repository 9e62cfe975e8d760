"""`POST /predict/{endpoint}`: rows with named columns in, a prediction a row out, for people with curl."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

import msgspec

from treadle.systems.serve.runtime.addresses import Address, Handler, Reply, json_reply
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.bodies import RequestHead
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.errors import NotAllowed
from treadle.systems.serve.runtime.explaining import MOST_ROWS
from treadle.systems.serve.runtime.inference import Answer, Inference, Read
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.row_facts import make_facts
from treadle.wire.oip import UNREADABLE, ProtocolError


class PlainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /predict/{endpoint}`: rows with named columns."""

    rows: list[dict[str, Any]]
    id: str | None = None
    entity: list[str | int] | str | int | None = None
    event_at: list[str | int] | str | int | None = None
    feature_as_of: list[str | int] | str | int | None = None
    unit: str | int | None = None
    features: str | None = None
    explain: bool = False
    """Whether each prediction comes with what each input adds to it."""


_decode = msgspec.json.Decoder(PlainRequest).decode


class PlainAddresses:
    """Answers the plain form."""

    def __init__(self, inference: Inference, metrics: Metrics) -> None:
        self._inference, self._metrics = inference, metrics

    def of(self, endpoint: LiveEndpoint) -> dict[str, Address]:
        """The address of one endpoint."""
        handler, limits = self._handler(endpoint), endpoint.limits
        return {
            f"/predict/{endpoint.name}": Address("POST", handler, endpoint.name, limits.max_body_bytes, limits=limits)
        }

    def _handler(self, endpoint: LiveEndpoint) -> Handler:
        def handler(head: RequestHead, body: bytes) -> Awaitable[Reply]:
            return self._predict(endpoint, body)

        return handler

    async def _predict(self, endpoint: LiveEndpoint, body: bytes) -> Reply:
        started = time.perf_counter()
        try:
            request = _decode(body)
        except UNREADABLE as error:
            raise ProtocolError(
                f"The body cannot be read: {error}.", fix='Send {"rows": [{"column": value, ...}]}.'
            ) from None
        rows = len(request.rows)
        if request.explain and rows > MOST_ROWS:
            raise NotAllowed(
                f"{rows} rows are to be explained; {MOST_ROWS} are in one request.", fix="Ask for fewer at once."
            )
        given = {"entity": request.entity, "event_at": request.event_at, "feature_as_of": request.feature_as_of}
        facts = make_facts(given, request.unit, rows, features=request.features)

        def as_sent(revision: LiveRevision) -> Batch:
            return revision.model.plan.from_rows(request.rows, facts)

        read: Read = as_sent
        if endpoint.document.features is not None:
            read = await self._inference.keyed(endpoint, request.rows, facts)
        answer = await self._inference.answer(endpoint, read, request.id, None, started)
        plain = _plain_answer(endpoint, request.id, answer)
        if request.explain:
            plain["explanations"] = await self._explanations(answer, read)
        payload = msgspec.json.encode(plain)
        self._metrics.answered(endpoint.name, time.perf_counter() - started)
        return json_reply(payload)

    async def _explanations(self, answer: Answer, read: Read) -> list[dict[str, Any]]:
        found = await self._inference.explain(answer, read)
        names = [column.name for column in answer.signature.inputs]
        return [
            {
                "method": found.method,
                "scale": found.scale,
                "base": base,
                "contributions": dict(zip(names, parts, strict=True)),
            }
            for base, parts in zip(found.base.tolist(), found.contributions.tolist(), strict=True)
        ]


def _plain_answer(endpoint: LiveEndpoint, request_id: str | None, answer: Answer) -> dict[str, Any]:
    columns = {
        output.name: output.values if isinstance(output.values, list) else output.values.tolist()
        for output in answer.outputs()
    }
    predictions = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    revision = answer.revision
    return {
        "endpoint": endpoint.name,
        **({"id": request_id} if request_id is not None else {}),
        **({"model_version": revision.model_version, "revision": revision.number} if revision is not None else {}),
        "predictions": predictions,
    }
