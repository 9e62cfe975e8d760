"""A stored model in the layout that MLflow's clients load: MLmodel, the model's own file, its environment.

The bytes are those that a server of ours loads; nothing is converted, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import yaml

from treadle.systems.train.registry.records import Dossier

_FILES = {"lightgbm": "model.lgb", "xgboost": "model.ubj", "sklearn": "model.skops", "onnx": "model.onnx"}
_LIBRARIES = {"lightgbm": "lightgbm", "xgboost": "xgboost", "sklearn": "scikit-learn", "onnx": "onnxruntime"}
_BESIDE = ("numpy", "scipy", "pandas", "skops", "scikit-learn", "onnx")
_TYPES = {"FP64": "double", "FP32": "float", "INT64": "long", "INT32": "integer", "BOOL": "boolean"}


def files_of_model(engine: str, data: bytes, dossier: Dossier) -> dict[str, bytes]:
    """The files by path. engine: what loads the model; data: the bytes that it loads."""
    requirements = _requirements(engine, dossier.packages)
    python = dossier.python or "3.11"
    return {
        "MLmodel": _yaml(_mlmodel(engine, dossier, python)),
        _FILES[engine]: data,
        "requirements.txt": "".join(f"{line}\n" for line in requirements).encode(),
        "python_env.yaml": _yaml({"python": python, "dependencies": ["-r requirements.txt"]}),
    }


def _mlmodel(engine: str, dossier: Dossier, python: str) -> dict[str, Any]:
    version = dossier.version
    written: dict[str, Any] = {
        "artifact_path": "model",
        "flavors": {
            engine: _flavor(engine, dossier),
            "python_function": {
                "loader_module": f"mlflow.{engine}",
                "data": _FILES[engine],
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": python,
            },
        },
        "model_uuid": version.digest.removeprefix("sha256:")[:32],
        "utc_time_created": version.recorded_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    if engine == "sklearn":
        written["flavors"]["python_function"] |= {"model_path": _FILES[engine], "predict_fn": "predict"}
    signature = _signature(version.signature)
    return written | ({"signature": signature} if signature else {})


def _flavor(engine: str, dossier: Dossier) -> dict[str, Any]:
    library = _version_of(_LIBRARIES[engine], dossier.packages)
    if engine == "lightgbm":
        return {"data": _FILES[engine], "lgb_version": library, "model_class": "lightgbm.basic.Booster", "code": None}
    if engine == "xgboost":
        found = {"data": _FILES[engine], "xgb_version": library, "model_class": "xgboost.core.Booster"}
        return found | {"model_format": "ubj", "code": None}
    if engine == "sklearn":
        trusted = list(dossier.version.reference.get("trusted", []))
        found = {"pickled_model": _FILES[engine], "sklearn_version": library, "serialization_format": "skops"}
        return found | {"skops_trusted_types": trusted, "code": None}
    return {"data": _FILES[engine], "onnx_version": library, "providers": ["CPUExecutionProvider"], "code": None}


def _signature(signature: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, unless one is a category: the model itself takes its code, which only our servers make of the text."""
    columns = [column for column in signature.get("inputs", []) if isinstance(column, Mapping)]
    if not columns or any(column.get("datatype") not in _TYPES for column in columns):
        return {}
    inputs = [
        {"type": _TYPES[column["datatype"]], "name": column["name"], "required": not column.get("nullable", False)}
        for column in columns
    ]
    return {"inputs": msgspec.json.encode(inputs).decode(), "outputs": None, "params": None}


def _requirements(engine: str, packages: Sequence[str]) -> list[str]:
    wanted = {_LIBRARIES[engine], *_BESIDE}
    known = [line for line in packages if line.partition("==")[0].lower() in wanted]
    return ["mlflow", *(known or [_LIBRARIES[engine]])]


def _version_of(library: str, packages: Sequence[str]) -> str | None:
    return next((line.partition("==")[2] for line in packages if line.partition("==")[0].lower() == library), None)


def _yaml(value: Any) -> bytes:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return text.encode()
