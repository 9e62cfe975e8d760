"""Model cards: what was written when a version was registered, or else one made of the facts; and what was found since.

A card that was registered never changes, it is an artifact. A version without one gets a card of the same sections, with
the front matter that model hubs read. Evidence gathers after both, so it is written below when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from treadle.systems.train.registry.records import Dossier, VersionEvidence


def as_it_reads_today(markdown: str, aliases: Sequence[str], evidence: Sequence[VersionEvidence]) -> str:
    """The stored card with the version's aliases and the evidence about it, oldest first; the same for the same facts."""
    stands = (
        f"It is {' and '.join(f'`{_plain(alias)}`' for alias in sorted(aliases))}."
        if aliases
        else "No alias stands on it."
    )
    found = [_line(one) for one in evidence] or ["Nothing was found about it yet."]
    return "\n".join([markdown.rstrip(), "", "## Evidence", "", stands, "", *found]) + "\n"


def of_facts(dossier: Dossier) -> str:
    """A card made of what is known: front matter, what it is, signature, data, figures, environment, files."""
    version = dossier.version
    sections = [
        f"# {_plain(version.model)}, version {version.number}",
        _plain(version.description or "Nobody has described this version yet."),
        _section("Model details", _details(dossier)),
        _section("Inputs and outputs", _signature(version.signature)),
        _section("Training data", _table(("role", "data"), sorted(version.data.items()))),
        _section(
            "Evaluation", _table(("metric", "value"), [(k, f"{v:.6g}") for k, v in sorted(version.metrics.items())])
        ),
        _section("Environment", _environment(dossier)),
        _section(
            "Files",
            _table(("file", "bytes", "SHA-256"), [(f.path, f.size_bytes, f.digest[7:]) for f in dossier.files]),
        ),
        _section("How to use it", _use(dossier)),
    ]
    return _front_matter(dossier) + "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(dossier: Dossier) -> str:
    version = dossier.version
    matter: dict[str, Any] = {"tags": sorted({"treadle", *(str(name) for name in version.facts.get("flavors", {}))})}
    library = next((name for name in version.facts.get("flavors", {}) if name != "python_function"), None)
    if library:
        matter["library_name"] = library
    if version.data:
        matter["datasets"] = sorted({text.rpartition("@")[0] or text for text in version.data.values()})
    if version.metrics:
        figures = [{"type": name, "value": float(value)} for name, value in sorted(version.metrics.items())]
        task = str(version.signature.get("task", "other"))
        result = {"task": {"type": task}, "metrics": figures}
        matter["model-index"] = [{"name": version.model, "results": [result]}]
    return f"---\n{yaml.safe_dump(matter, sort_keys=False, allow_unicode=True)}---\n\n"


def _details(dossier: Dossier) -> list[str]:
    version = dossier.version
    facts: dict[str, object] = {
        "Digest": version.digest,
        "Registered": f"{version.recorded_at.isoformat(timespec='seconds')} by {version.actor}",
        "Stage": None if version.stage == "None" else version.stage,
        "Made by": version.run or version.run_id,
        "Source": version.source,
        "Size": None if version.size_bytes is None else f"{version.size_bytes:,} bytes",
        "Probe": version.probe,
        **{f"Code, {name.replace('_', ' ')}": value for name, value in sorted(dossier.code.items())},
        **{f"Label {key}": value for key, value in sorted(dossier.tags.items())},
    }
    return [f"- {_plain(title)}: {_plain(value)}" for title, value in facts.items() if value]


def _signature(signature: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, column.get("name", ""), column.get("type") or column.get("datatype") or "")
        for name in ("inputs", "outputs", "params")
        for column in (signature.get(name) or [])
        if isinstance(column, Mapping)
    ]
    return _table(("", "column", "type"), rows)


def _environment(dossier: Dossier) -> list[str]:
    lines = [f"Python {_plain(dossier.python)}"] if dossier.python else []
    return lines + ([""] if lines and dossier.packages else []) + [f"- `{_plain(one)}`" for one in dossier.packages]


def _use(dossier: Dossier) -> list[str]:
    version = dossier.version
    if version.facts.get("flavors"):
        return ["```python", f'mlflow.pyfunc.load_model("models:/{_plain(version.model)}/{version.number}")', "```"]
    if version.probe is not None:
        return ["```python", f'td.model("{_plain(version.model)}/{version.number}")', "```"]
    return []


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def _line(one: VersionEvidence) -> str:
    at = one.recorded_at.isoformat(timespec="seconds")
    reason = one.body.get("reason")
    said = f": {_plain(reason)}" if reason else ""
    return f"- {_plain(one.kind)} {_plain(one.verdict)}, {at}, by {_plain(one.actor)}{said}"


def _plain(value: object) -> str:
    """Text on one line without markup of HTML, so that no reason can make a heading or a script."""
    return " ".join(str(value).split()).replace("<", "&lt;")
