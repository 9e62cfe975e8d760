"""Everything that is known of a version, gathered from where it stands: its rows, its files, its run, the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.kernel.catalog import ArtifactRows, EvidenceRows, Run, RunRows
from treadle.kernel.store import Reader
from treadle.systems.train.registry.lookup import Lookup
from treadle.systems.train.registry.own_files import files_of
from treadle.systems.train.registry.ports import Values
from treadle.systems.train.registry.records import Dossier, ModelVersion, VersionEvidence


class Dossiers:
    """Gathers. values: where the description of an environment is read from."""

    def __init__(self, lookup: Lookup, evidence: EvidenceRows, values: Values | None) -> None:
        self._lookup, self._evidence, self._values = lookup, evidence, values
        self._runs, self._artifacts = RunRows(), ArtifactRows()

    def of(self, reader: Reader, version: ModelVersion) -> Dossier:
        """The dossier of a version."""
        found = self._lookup.label(reader, version)
        described = self._environment(reader, version)
        named = version.facts.get("environment", {})
        return Dossier(
            version=version,
            tags=found.tags,
            aliases=found.aliases,
            evidence=self.evidence(reader, version),
            files=files_of(reader, version),
            code=self._code(reader, version, described),
            python=named.get("python") or described.get("python"),
            packages=named.get("requirements") or _pinned(described.get("distributions", {})),
        )

    def evidence(self, reader: Reader, version: ModelVersion) -> list[VersionEvidence]:
        """What was found about a version, oldest first."""
        return [
            VersionEvidence(
                id=e.id,
                kind=e.kind,
                verdict=e.verdict,
                body=e.body,
                run=e.run,
                actor=e.actor,
                recorded_at=e.recorded_at,
            )
            for e in self._evidence.about(reader, version.project, version.subject)
        ]

    def _code(self, reader: Reader, version: ModelVersion, described: Mapping[str, Any]) -> dict[str, str]:
        code = {str(key): str(value) for key, value in version.facts.get("code", {}).items()}
        git = described.get("git") or {}
        code |= {name: git[name] for name in ("commit", "branch") if git.get(name) and name not in code}
        for run in self._makers(reader, version):
            for name in ("code_digest", "bundle_digest"):
                if getattr(run, name) is not None:
                    code.setdefault(name, getattr(run, name))
        return code

    def _environment(self, reader: Reader, version: ModelVersion) -> Mapping[str, Any]:
        for run in self._makers(reader, version):
            if run.environment_digest is not None and self._values is not None:
                artifact = self._artifacts.find(reader, version.project, run.environment_digest)
                loaded = None if artifact is None else self._values.load(artifact)
                if isinstance(loaded, dict):
                    return loaded
        return {}

    def _makers(self, reader: Reader, version: ModelVersion) -> list[Run]:
        """The run that made the bytes, and the pipeline run around it."""
        names = dict.fromkeys((version.run, version.root))
        found = [self._runs.find(reader, version.project, name) for name in names if name is not None]
        roots = [self._runs.find(reader, version.project, run.root) for run in found if run is not None]
        return list({run.id: run for run in [*found, *roots] if run is not None}.values())


def _pinned(distributions: Mapping[str, Any]) -> list[str]:
    return [f"{name}=={version}" for name, version in sorted(distributions.items())]
