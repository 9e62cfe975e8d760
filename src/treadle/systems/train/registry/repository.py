"""The rows of models, their versions and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.registry.records import ModelLine, ModelVersion

sql = Statements(__package__)


class ModelRows:
    """Finds and records models."""

    def find(self, reader: Reader, project: str, name: str) -> ModelLine | None:
        """The model that has this name now, or None."""
        row = reader.find(sql.find_model, {"project": project, "name": name})
        return None if row is None else _line(row)

    def of_line(self, reader: Reader, project: str, line: str) -> ModelLine | None:
        """The model of a line, whatever its name is now, or None."""
        row = reader.find(sql.find_line, {"project": project, "line": line})
        return None if row is None else _line(row)

    def all(self, reader: Reader, project: str) -> list[tuple[str, str, int, int, datetime]]:
        """(line, name, newest number, how many versions, made at) of every model that is no prompt, by name."""
        rows = reader.all(sql.models, {"project": project})
        return [(line, name, newest, count, from_micros(ms * 1000)) for line, name, newest, count, ms in rows]

    def add(
        self, tx: Transaction, project: str, name: str, *, description: str | None, created_ms: int, actor: str
    ) -> ModelLine | None:
        """Records a model; None when another took the name first."""
        line = ModelLine(
            line=self._free_line(tx, project, name),
            name=name,
            description=description,
            created_ms=created_ms,
            updated_ms=created_ms,
            actor=actor,
        )
        values = {key: getattr(line, key) for key in ModelLine.__slots__}
        return line if tx.execute(sql.insert_model, {"project": project, **values}) == 1 else None

    def _free_line(self, tx: Reader, project: str, name: str) -> str:
        rows = tx.all(sql.find_namesakes, {"project": project, "low": name, "high": name + ":\U0010ffff"})
        taken = {line for (line,) in rows}
        count = 1
        line = name
        while line in taken:
            count += 1
            line = f"{name}:{count}"
        return line

    def touch(self, tx: Transaction, project: str, line: str, updated_ms: int) -> None:
        """Says that the model has changed."""
        tx.execute(sql.touch_model, {"project": project, "line": line, "updated_ms": updated_ms})

    def describe(self, tx: Transaction, project: str, line: str, description: str | None, updated_ms: int) -> None:
        """Writes another description."""
        values = {"project": project, "line": line, "description": description, "updated_ms": updated_ms}
        tx.execute(sql.describe_model, values)

    def rename(self, tx: Transaction, project: str, line: str, name: str, updated_ms: int) -> None:
        """Gives the line another name. Raises UniqueViolation when it is taken."""
        tx.execute(sql.rename_model, {"project": project, "line": line, "name": name, "updated_ms": updated_ms})
        tx.execute(sql.touch_versions, {"project": project, "line": line, "updated_ms": updated_ms})

    def delete(self, tx: Transaction, project: str, line: str, at: datetime) -> None:
        """Takes the model and its versions away; their rows stay for those who look back."""
        micros = to_micros(at)
        values = {"project": project, "line": line, "at": micros, "updated_ms": micros // 1000}
        tx.execute(sql.delete_versions, values)
        tx.execute(sql.delete_model, values)


class VersionRows:
    """Finds and records model versions."""

    def find(self, reader: Reader, project: str, line: str, number: int) -> ModelVersion | None:
        """The version, or None."""
        row = reader.find(sql.find_version, {"project": project, "line": line, "number": number})
        return None if row is None else version_from(row)

    def newest(self, reader: Reader, project: str, line: str) -> int | None:
        """The greatest number that is not deleted, or None."""
        row = reader.find(sql.newest_version, {"project": project, "line": line})
        return None if row is None else row[0]

    def of_model(self, reader: Reader, project: str, line: str) -> list[ModelVersion]:
        """All versions of a model, newest first."""
        return [version_from(row) for row in reader.all(sql.versions_of, {"project": project, "line": line})]

    def latest(self, reader: Reader, project: str, line: str) -> list[ModelVersion]:
        """The newest version of each stage, by number."""
        return [version_from(row) for row in reader.all(sql.latest_of, {"project": project, "line": line})]

    def of_run(self, reader: Reader, project: str, run: str) -> list[ModelVersion]:
        """The versions that a run made or registered."""
        return [version_from(row) for row in reader.all(sql.versions_of_run, {"project": project, "run": run})]

    def of_project(self, reader: Reader, project: str) -> list[ModelVersion]:
        """Every version of every model."""
        return [version_from(row) for row in reader.all(sql.versions, {"project": project})]

    def find_of_root(self, tx: Reader, project: str, line: str, root: str, digest: str) -> ModelVersion | None:
        """What this run has registered already with these bytes, if it has."""
        values = {"project": project, "line": line, "root": root, "digest": digest}
        row = tx.find(sql.version_of_root, values)
        return None if row is None else version_from(row)

    def next_number(self, tx: Reader, project: str, line: str) -> int:
        """The number after the greatest that was ever given."""
        row = tx.find(sql.newest_number, {"project": project, "line": line})
        return (0 if row is None else int(row[0])) + 1

    def add(self, tx: Transaction, version: ModelVersion) -> bool:
        """Records a version; False when another took its number first."""
        return tx.execute(sql.insert_version, _values(version)) == 1

    def describe(self, tx: Transaction, version: ModelVersion, description: str | None, updated_ms: int) -> None:
        """Writes another description."""
        tx.execute(sql.describe_version, {**_key(version), "description": description, "updated_ms": updated_ms})

    def place(
        self, tx: Transaction, version: ModelVersion, location: str, size_bytes: int, facts: Mapping[str, Any]
    ) -> bool:
        """Says where the files of a version are that had none; False when it has some already."""
        values = {"location": location, "size_bytes": size_bytes, "facts": canonical_json(dict(facts)).decode()}
        return tx.execute(sql.place_version, {**_key(version), **values}) == 1

    def stage(self, tx: Transaction, project: str, line: str, number: int, stage: str, updated_ms: int) -> None:
        """Moves a version to another stage."""
        values = {"project": project, "line": line, "number": number, "stage": stage, "updated_ms": updated_ms}
        tx.execute(sql.stage_version, values)

    def in_stage(self, reader: Reader, project: str, line: str, stage: str) -> list[int]:
        """The numbers of the versions in a stage."""
        rows = reader.all(sql.numbers_in_stage, {"project": project, "line": line, "stage": stage})
        return [number for (number,) in rows]

    def delete(self, tx: Transaction, version: ModelVersion, at: datetime) -> None:
        """Takes a version away; its number is not given again."""
        micros = to_micros(at)
        tx.execute(sql.delete_version, {**_key(version), "at": micros, "updated_ms": micros // 1000})


class TagRows:
    """Labels of models (number 0) and of versions."""

    def set(self, tx: Transaction, project: str, line: str, number: int, tags: Mapping[str, str]) -> None:
        """Writes labels; one that is there gets the new value."""
        for key, value in tags.items():
            values = {"project": project, "line": line, "number": number, "key": key, "value": value}
            tx.execute(sql.set_tag, values)

    def delete(self, tx: Transaction, project: str, line: str, number: int, key: str) -> bool:
        """Takes a label away; False when there was none."""
        return tx.execute(sql.delete_tag, {"project": project, "line": line, "number": number, "key": key}) == 1

    def find(self, reader: Reader, project: str, line: str, number: int, key: str) -> str | None:
        """The value of a label, or None."""
        row = reader.find(sql.find_tag, {"project": project, "line": line, "number": number, "key": key})
        return None if row is None else row[0]

    def of(self, reader: Reader, project: str, line: str, number: int) -> dict[str, str]:
        """The labels of a model or of a version."""
        rows = reader.all(sql.tags_of, {"project": project, "line": line, "number": number})
        return dict(rows)

    def of_line(self, reader: Reader, project: str, line: str) -> dict[int, dict[str, str]]:
        """The labels of a model and all its versions, by number."""
        found: dict[int, dict[str, str]] = {}
        for number, key, value in reader.all(sql.tags_of_line, {"project": project, "line": line}):
            found.setdefault(number, {})[key] = value
        return found


_JSON = ("signature", "metrics", "data", "reference", "facts")
_COLUMNS = tuple(name for name in ModelVersion.__slots__ if name != "model")


def version_from(row: Row) -> ModelVersion:
    """A version from the columns of `ModelVersion`, in their order."""
    values: dict[str, Any] = dict(zip(ModelVersion.__slots__, row, strict=True))
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    values["recorded_at"] = from_micros(values["recorded_at"])
    return ModelVersion(**values)


def _key(version: ModelVersion) -> dict[str, object]:
    return {"project": version.project, "line": version.line, "number": version.number}


def _values(version: ModelVersion) -> dict[str, object]:
    values: dict[str, Any] = {name: getattr(version, name) for name in _COLUMNS}
    for name in _JSON:
        values[name] = canonical_json(dict(values[name])).decode()
    values["recorded_at"] = to_micros(version.recorded_at)
    return values


def _line(row: Row) -> ModelLine:
    return ModelLine(**dict(zip(ModelLine.__slots__, row, strict=True)))
