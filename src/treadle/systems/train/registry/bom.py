"""A version as a CycloneDX ML-BOM: the model, its files, its data and the packages of its environment.

The same version gives the same document: its serial number is made of the version's digest and its time is the version's.
Source: CycloneDX 1.6, JSON, with `modelCard` for what is particular to models.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from treadle.systems.train.registry.records import Dossier

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*==\s*([^\s;,]+)")
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAMESPACE = uuid.UUID("6f1c1f5e-0f7b-5c55-9d1e-7d7f5f1a2b3c")


def bom_of(dossier: Dossier, tool_version: str) -> dict[str, Any]:
    """The document, to be written as JSON."""
    version = dossier.version
    files, data, packages = _files(dossier), _data(version.data), _packages(dossier.packages)
    components = [*data, *packages, *files]
    model = _model(dossier, data)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{version.project}/{version.subject}/{version.digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": version.recorded_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tools": {"components": [{"type": "application", "name": "treadle", "version": tool_version}]},
            "component": model,
        },
        "components": components,
        "dependencies": [
            {"ref": model["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]},
            *({"ref": one["bom-ref"]} for one in components),
        ],
    }


def _model(dossier: Dossier, data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    version = dossier.version
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": version.subject,
        "name": version.model,
        "version": str(version.number),
        "hashes": [_hash(version.digest)],
        "modelCard": _card(dossier, data),
        "properties": _properties(dossier),
    }
    if version.description:
        component["description"] = version.description
    if dossier.code.get("repository", "").startswith(("https://", "http://", "git@", "ssh://")):
        component["externalReferences"] = [{"type": "vcs", "url": dossier.code["repository"]}]
    return component


def _card(dossier: Dossier, data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    version = dossier.version
    parameters: dict[str, Any] = {"datasets": [{"ref": one["bom-ref"]} for one in data]}
    if isinstance(version.signature.get("task"), str):
        parameters["task"] = version.signature["task"]
    for name in ("inputs", "outputs"):
        formats = [{"format": _format(column)} for column in _list(version.signature.get(name))]
        if formats:
            parameters[name] = formats
    card: dict[str, Any] = {"bom-ref": f"{version.subject}#card", "modelParameters": parameters}
    if version.metrics:
        measured = [{"type": name, "value": f"{value:.12g}"} for name, value in sorted(version.metrics.items())]
        card["quantitativeAnalysis"] = {"performanceMetrics": measured}
    return card


def _properties(dossier: Dossier) -> list[dict[str, str]]:
    version = dossier.version
    found: dict[str, object] = {
        "treadle:project": version.project,
        "treadle:subject": version.subject,
        "treadle:digest": version.digest,
        "treadle:probe": version.probe,
        "treadle:run": version.run,
        "treadle:run_id": version.run_id,
        "treadle:logged_model": version.logged_model,
        "treadle:source": version.source,
        "treadle:size_bytes": version.size_bytes,
        "treadle:stage": version.stage,
        "treadle:python": dossier.python,
    }
    found |= {f"treadle:code:{name}": value for name, value in sorted(dossier.code.items())}
    found |= {f"treadle:flavor:{name}": "yes" for name in sorted(version.facts.get("flavors", {}))}
    for one in dossier.evidence:
        found[f"treadle:evidence:{one.id}"] = f"{one.kind} {one.verdict}"
    return [{"name": name, "value": str(value)} for name, value in found.items() if value not in (None, "")]


def _files(dossier: Dossier) -> list[dict[str, Any]]:
    return [
        {
            "type": "file",
            "bom-ref": f"file/{file.path}",
            "name": file.path,
            "hashes": [_hash(file.digest)],
            "properties": [{"name": "treadle:size_bytes", "value": str(file.size_bytes)}],
        }
        for file in dossier.files
    ]


def _data(data: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "type": "data",
            "bom-ref": f"data/{role}",
            "name": text.rpartition("@")[0] or text,
            "version": text.rpartition("@")[2],
            "properties": [{"name": "treadle:role", "value": role}],
        }
        for role, text in sorted(data.items())
    ]


def _packages(lines: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        pinned, named = _PINNED.match(line), _NAMED.match(line)
        if named is None:
            continue
        name, version = (pinned[1], pinned[2]) if pinned else (named[0], None)
        normal = re.sub(r"[-_.]+", "-", name).lower()
        purl = f"pkg:pypi/{normal}" + (f"@{version}" if version else "")
        component = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
        found[purl] = component | ({"version": version} if version else {})
    return list(found.values())


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest.removeprefix("sha256:")}


def _format(column: Any) -> str:
    """A column of a signature, of ours or of MLflow's, in a few words."""
    if not isinstance(column, Mapping):
        return "value"
    kind = column.get("type") or column.get("datatype") or "value"
    return f"{column['name']}: {kind}" if column.get("name") else str(kind)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
