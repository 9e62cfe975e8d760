"""How models and versions are found: by name, by number, by alias; and what is said when there is none."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog import Refs
from treadle.kernel.store import Reader
from treadle.systems.train.registry.errors import AliasNotFound, ModelNotFound, ModelVersionNotFound
from treadle.systems.train.registry.records import (
    LabelledVersion,
    ModelLine,
    ModelSheet,
    ModelVersion,
)
from treadle.systems.train.registry.repository import ModelRows, TagRows, VersionRows

_MOST_DIGITS = 18
"""A longer number is in no store."""


class Lookup:
    """Finds what is registered; the services of the registry are built on it."""

    def __init__(self, refs: Refs) -> None:
        self.refs, self.lines, self.rows, self.tags = refs, ModelRows(), VersionRows(), TagRows()

    def line(self, reader: Reader, project: str, model: str) -> ModelLine:
        """The model of this name. Raises ModelNotFound."""
        found = self.lines.find(reader, project, model)
        if found is None:
            raise self._unknown_model(reader, project, model)
        return found

    def resolve(self, reader: Reader, project: str, model: str, version: str) -> ModelVersion:
        """A version by number, alias or `newest`. Raises ModelNotFound, ModelVersionNotFound."""
        line = self.line(reader, project, model)
        number = self._resolve_number(reader, project, line, version)
        found = None if number is None else self.rows.find(reader, project, line.line, number)
        if found is None:
            raise self._unknown_version(reader, project, line, version)
        return found

    def of_subject(self, reader: Reader, project: str, subject: str) -> ModelVersion | None:
        """The version that `model/late-arrival/3` speaks of in events and evidence, whatever its model is called now."""
        line, _, number = subject.removeprefix("model/").rpartition("/")
        if not number.isdecimal() or len(number) >= _MOST_DIGITS or self.lines.of_line(reader, project, line) is None:
            return None
        return self.rows.find(reader, project, line, int(number))

    def aliases(self, reader: Reader, project: str, line: ModelLine) -> dict[str, int]:
        """The number under each alias of a model."""
        prefix = line.alias_ref("")
        refs = self.refs.list(reader, project, prefix)
        named = {ref.name.removeprefix(prefix): number_of(ref.target) for ref in refs}
        return {alias: number for alias, number in named.items() if number is not None and "@" not in alias}

    def holder(self, reader: Reader, project: str, line: ModelLine, alias: str) -> int | None:
        """The number of the version on which an alias stands, or None."""
        ref = self.refs.find(reader, project, line.alias_ref(alias))
        return None if ref is None else number_of(ref.target)

    def sheet(self, reader: Reader, project: str, line: ModelLine) -> ModelSheet:
        """The model with its labels, aliases and the newest version of each stage."""
        aliases = self.aliases(reader, project, line)
        tags = self.tags.of_line(reader, project, line.line)
        latest = [
            labelled(version, tags.get(version.number, {}), aliases)
            for version in self.rows.latest(reader, project, line.line)
        ]
        return ModelSheet(model=line, tags=tags.get(0, {}), aliases=aliases, latest=latest)

    def label(self, reader: Reader, version: ModelVersion) -> LabelledVersion:
        """The version with its labels and aliases."""
        project = version.project
        line = self.lines.of_line(reader, project, version.line)
        aliases = {} if line is None else self.aliases(reader, project, line)
        return labelled(version, self.tags.of(reader, project, version.line, version.number), aliases)

    def label_all(self, reader: Reader, project: str, versions: Sequence[ModelVersion]) -> list[LabelledVersion]:
        """As `label`, for many: the labels and aliases of each model are read once."""
        aliases: dict[str, dict[str, int]] = {}
        tags: dict[str, dict[int, dict[str, str]]] = {}
        for name in {version.line for version in versions}:
            line = self.lines.of_line(reader, project, name)
            aliases[name] = {} if line is None else self.aliases(reader, project, line)
            tags[name] = self.tags.of_line(reader, project, name)
        return [labelled(one, tags[one.line].get(one.number, {}), aliases[one.line]) for one in versions]

    def _resolve_number(self, reader: Reader, project: str, line: ModelLine, version: str) -> int | None:
        if version.isdecimal():
            return int(version) if len(version) < _MOST_DIGITS else None
        if version == "newest":
            return self.rows.newest(reader, project, line.line)
        return self.holder(reader, project, line, version)

    def _unknown_model(self, reader: Reader, project: str, model: str) -> ModelNotFound:
        names = [name for _, name, *_ in self.lines.all(reader, project)]
        return ModelNotFound(
            f"There is no model {model!r}.",
            why=did_you_mean(model, names) or "No model is registered yet.",
            fix="List them with: treadle models list",
            model=model,
        )

    def _unknown_version(self, reader: Reader, project: str, line: ModelLine, version: str) -> ModelVersionNotFound:
        newest = self.rows.newest(reader, project, line.line)
        aliases = self.aliases(reader, project, line)
        return ModelVersionNotFound(
            f"The model {line.name!r} has no version {version!r}.",
            why="It has no versions yet."
            if newest is None
            else f"Its versions are 1 to {newest}; its aliases: {', '.join(aliases) or 'none yet'}.",
            fix=f"Look at them with: treadle models show {line.name}",
            model=line.name,
            version=version,
        )


def labelled(version: ModelVersion, tags: dict[str, str], aliases: dict[str, int]) -> LabelledVersion:
    """A version with its labels and those of its model's aliases that stand on it."""
    standing = [alias for alias, number in aliases.items() if number == version.number]
    return LabelledVersion(version=version, tags=tags, aliases=standing)


def no_alias(model: str, alias: str) -> AliasNotFound:
    """The error for an alias that a model has not."""
    return AliasNotFound(f"The model {model!r} has no alias {alias!r}.", model=model, alias=alias)


def number_of(subject: str | None) -> int | None:
    """The number at the end of a version's subject."""
    tail = (subject or "").rpartition("/")[2]
    return int(tail) if tail.isdecimal() else None
