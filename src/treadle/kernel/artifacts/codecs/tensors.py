"""Codec of PyTorch weights: a state dict as a safetensors file.

The format is written here (a JSON header and the raw values, https://huggingface.co/docs/safetensors), so that names are in order and
equal weights give equal bytes. A module itself is refused: its class is code, and belongs to the run's bundle.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from treadle.ground.errors import MissingExtra
from treadle.kernel.artifacts.codecs.base import Draft, Encoded, Shelf, Source, identity
from treadle.kernel.artifacts.errors import BlobCorrupt, NotStorable

_TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL", "uint8": "U8",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip
_NAMES = {code: name for name, code in _TYPES.items()}


def is_state_dict(value: Any) -> bool:
    """Whether a dict maps names to tensors, and to nothing else."""
    return bool(value) and all(isinstance(key, str) and is_tensor(item) for key, item in value.items())


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor of PyTorch, without importing it."""
    return any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(value).__mro__)


class Tensors:
    """State dicts, and single tensors."""

    name, kind = "tensors/safetensors", "model"

    def accepts(self, value: Any) -> bool:
        if is_tensor(value) or (isinstance(value, dict) and is_state_dict(value)):
            return True
        if hasattr(value, "state_dict"):
            raise NotStorable(
                f"A {type(value).__qualname__} cannot be stored as it is: its class is code.",
                fix="Return module.state_dict(), and load it into a module that the next step makes.",
            )
        return False

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        is_single = is_tensor(value)
        data = _dump({"": value} if is_single else dict(value))
        return Encoded(self, shelf, identity("tensor" if is_single else "tensors", data), data, {"single": is_single})

    def load(self, source: Source, as_type: Any) -> Any:
        tensors = _parse(source.bytes())
        return tensors[""] if source.meta.get("single") else tensors

    def parts(self, source: Source) -> Iterable[str]:
        return ()


def _dump(tensors: dict[str, Any]) -> bytes:
    """A safetensors file: u64 length of the header, the header, the values in the order of their names."""
    header: dict[str, Any] = {}
    pieces, end = [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        code = _TYPES.get(str(tensor.dtype).removeprefix("torch."))
        if code is None or tensor.layout != _torch().strided:
            raise NotStorable(
                f"The tensor {name!r} of type {tensor.dtype} cannot be stored.",
                fix="Make it dense and of a plain type.",
            )
        piece = tensor.reshape(-1).view(_torch().uint8).numpy().tobytes() if tensor.numel() else b""
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [end, end + len(piece)]}
        pieces.append(piece)
        end += len(piece)
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(pieces)


def _parse(data: bytes) -> dict[str, Any]:
    torch = _torch()
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = msgspec.json.decode(data[8 : 8 + length])
        tensors = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            raw = bytearray(data[8 + length + start : 8 + length + end])
            dtype = getattr(torch, _NAMES[entry["dtype"]])
            flat = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
            tensors[name] = flat.reshape(entry["shape"])
    except (struct.error, msgspec.DecodeError, KeyError, ValueError, RuntimeError) as problem:
        raise BlobCorrupt(
            "Stored tensors cannot be read.", why=str(problem), fix="Find what else is damaged: treadle doctor"
        ) from problem
    return tensors


def _torch() -> Any:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        fix = "Install it with: pip install torch (see pytorch.org for the build that fits this machine)"
        raise MissingExtra(
            "Reading these tensors needs the library 'torch', which is not installed.", fix=fix
        ) from None
    return torch
