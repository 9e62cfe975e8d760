"""Codec of ONNX models: the protobuf as it is; its digest leaves out the graph's name, which converters draw at random."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle.ground.errors import MissingExtra
from treadle.kernel.artifacts.codecs.base import Draft, Encoded, Shelf, Source, identity


class OnnxModels:
    """onnx.ModelProto, and its bytes when they are asked for."""

    name, kind = "model/onnx", "model"

    def accepts(self, value: Any) -> bool:
        return type(value).__name__ == "ModelProto"

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        nameless = type(value)()
        nameless.CopyFrom(value)
        nameless.graph.name = ""
        digest = identity("onnx", nameless.SerializeToString(deterministic=True))
        meta = {
            "inputs": [entry.name for entry in value.graph.input],
            "outputs": [entry.name for entry in value.graph.output],
        }
        return Encoded(
            self, shelf, digest, value.SerializeToString(deterministic=True), {**meta, "class": "ModelProto"}
        )

    def load(self, source: Source, as_type: Any) -> Any:
        if as_type is bytes:
            return source.bytes()
        try:
            import onnx
        except ImportError:
            raise MissingExtra.of("onnx", "onnx", "Loading this model") from None
        return onnx.load_model_from_string(source.bytes())

    def parts(self, source: Source) -> Iterable[str]:
        return ()
