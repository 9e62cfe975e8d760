"""The rows of model versions."""

from __future__ import annotations

from datetime import datetime

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.records import ModelVersion, Registration

sql = Statements(__package__)


class VersionRows:
    """Finds and records model versions."""

    def find(self, reader: Reader, project: str, model: str, number: int) -> ModelVersion | None:
        """The version, or None."""
        row = reader.find(sql.find_version, {"project": project, "model": model, "number": number})
        return None if row is None else _version(row)

    def of_model(self, reader: Reader, project: str, model: str) -> list[ModelVersion]:
        """All versions of a model, newest first."""
        return [_version(row) for row in reader.all(sql.versions_of, {"project": project, "model": model})]

    def of_run(self, reader: Reader, project: str, run: str) -> list[ModelVersion]:
        """The versions that a run made or registered."""
        return [_version(row) for row in reader.all(sql.versions_of_run, {"project": project, "run": run})]

    def of_project(self, reader: Reader, project: str) -> list[ModelVersion]:
        """Every version of every model."""
        return [_version(row) for row in reader.all(sql.versions, {"project": project})]

    def models(self, reader: Reader, project: str) -> list[tuple[str, int, int, datetime]]:
        """(name, newest number, how many, first registered at) of every model, by name."""
        rows = reader.all(sql.models, {"project": project})
        return [(name, newest, count, from_micros(at)) for name, newest, count, at in rows]

    def find_of_root(self, tx: Reader, project: str, model: str, root: str, digest: str) -> ModelVersion | None:
        """What this run has registered already with these bytes, if it has."""
        values = {"project": project, "model": model, "root": root, "digest": digest}
        row = tx.find(sql.version_of_root, values)
        return None if row is None else _version(row)

    def add(
        self,
        tx: Transaction,
        project: str,
        registration: Registration,
        *,
        run: str | None,
        root: str | None,
        actor: str,
        at: datetime,
    ) -> ModelVersion:
        """Records the next version of the model. Two that race for a number are told apart by its key."""
        while True:
            row = tx.find(sql.newest_number, {"project": project, "model": registration.model})
            version = ModelVersion(
                project=project,
                model=registration.model,
                number=(0 if row is None else int(row[0])) + 1,
                digest=registration.digest,
                signature=registration.signature,
                probe=registration.probe,
                card=registration.card,
                metrics=registration.metrics,
                data=registration.data,
                reference=registration.reference,
                description=registration.description,
                run=run,
                root=root,
                actor=actor,
                recorded_at=at,
            )
            if tx.execute(sql.insert_version, _values(version)) == 1:
                return version


_JSON = ("signature", "metrics", "data", "reference")


def _values(version: ModelVersion) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(version, name) for name in ModelVersion.__slots__}
    for name in _JSON:
        values[name] = canonical_json(dict(values[name])).decode()  # type: ignore[call-overload]
    values["recorded_at"] = to_micros(version.recorded_at)
    return values


def _version(row: Row) -> ModelVersion:
    values = dict(zip(ModelVersion.__slots__, row, strict=True))
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    values["recorded_at"] = from_micros(values["recorded_at"])
    return ModelVersion(**values)
