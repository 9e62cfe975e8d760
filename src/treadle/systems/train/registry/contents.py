"""What the files of a model say about it: its flavors, its signature, its environment.

They are YAML and text, written by a client: read with the loader that makes nothing but plain values, and anything that is
not as expected is left out. No model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import yaml

from treadle.systems.train.registry.ports import Origin

_DESCRIPTIONS = ("MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml")
_MOST = 2_000
"""Lines of a requirements file that are kept."""
_LONGEST = 500


def wanted_files(paths: Iterable[str]) -> frozenset[str]:
    """Those of some paths that describe the model."""
    return frozenset(path for path in paths if path in _DESCRIPTIONS)


def signature_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """`inputs`, `outputs` and `params` of the signature in MLmodel; empty where it has none."""
    written = _mapping(_yaml(texts.get("MLmodel", ""))).get("signature")
    found = {key: _json(value) for key, value in _mapping(written).items() if key in ("inputs", "outputs", "params")}
    return {key: value for key, value in found.items() if value}


def facts_of(texts: Mapping[str, str], files: int, origin: Origin | None) -> dict[str, Any]:
    """What is known of a version beside its bytes: how many files, flavors, environment, code."""
    described = _mapping(_yaml(texts.get("MLmodel", "")))
    facts: dict[str, Any] = {"files": files}
    flavors = {name: _flavor(options) for name, options in _mapping(described.get("flavors")).items()}
    if flavors:
        facts["flavors"] = flavors
    for key in ("mlflow_version", "model_uuid", "model_id", "utc_time_created"):
        if text := _scalar(described.get(key)):
            facts[key] = text
    environment = _environment(texts)
    if environment:
        facts["environment"] = environment
    if origin is not None and origin.code:
        facts["code"] = dict(origin.code)
    return facts


def _environment(texts: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines = [line.strip() for line in texts.get("requirements.txt", "").splitlines()]
    requirements = [line for line in lines if line and not line.startswith(("#", "-"))][:_MOST]
    if requirements:
        found["requirements"] = requirements
    python = _mapping(_yaml(texts.get("python_env.yaml", ""))).get("python")
    conda = _mapping(_yaml(texts.get("conda.yaml", ""))).get("dependencies")
    packages = [item for item in conda if isinstance(item, str)] if isinstance(conda, list) else []
    if python is None:
        python = next((item.partition("=")[2].lstrip("=") for item in packages if item.startswith("python=")), None)
    if text := _scalar(python):
        found["python"] = text
    if packages:
        found["conda"] = packages[:_MOST]
    return found


def _flavor(options: Any) -> dict[str, str]:
    kept = ("loader_module", "serialization_format", "sklearn_version", "lgb_version", "xgb_version", "pytorch_version",
            "python_version", "model_type")  # fmt: skip
    return {key: text for key, value in _mapping(options).items() if key in kept and (text := _scalar(value))}


def _mapping(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _scalar(value: Any) -> str:
    """A plain value as text; what is nested, which a document of few bytes can make endless, as nothing."""
    return str(value)[:_LONGEST] if isinstance(value, str | int | float) else ""


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
