"""MLflow's SQL database, of any version since runs had names: what a version has no column for reads as nothing.

Statements are made of the fixed texts below; the data of the store are parameters. A table or a column that is not there
(logged models before 3.0, aliases before 2.3, workspaces before 3.9) is looked up once and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from treadle.systems.train.moving.errors import NoMlflowStore
from treadle.systems.train.moving.places import LocalFile, Places
from treadle.systems.train.moving.ports import ForeignRows
from treadle.systems.train.moving.records import (
    Points,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, ModelPoint, Pair

NAME_TAG = "mlflow.runName"
_NOT_READ = {
    "traces": "trace_info",
    "assessments": "assessments",
    "evaluation datasets": "evaluation_datasets",
    "scorers": "scorers",
    "webhooks": "webhooks",
    "gateway endpoints": "endpoints",
}


class SqlStore:
    """See the module. workspace: whose things are read, where the database knows workspaces."""

    def __init__(self, rows: ForeignRows, name: str, places: Places, *, workspace: str = "default") -> None:
        self.name = name
        self._rows, self._places, self._workspace = rows, places, workspace
        self._known: dict[str, frozenset[str]] = {}
        if not rows.columns("experiments") or not rows.columns("runs"):
            rows.close()
            raise NoMlflowStore(
                f"{name} is no database of MLflow.",
                why="It has no tables `experiments` and `runs`.",
                fix="Give the address that `mlflow server --backend-store-uri` is given.",
            )

    def experiments(self) -> Sequence[StoredExperiment]:
        tags = defaultdict(dict)  # type: ignore[var-annotated]
        for number, key, value in self._of("experiment_tags", "experiment_id", "key", "value"):
            tags[number][key] = value
        return [
            StoredExperiment(
                number=number,
                name=name,
                location=location or "",
                lifecycle=lifecycle or "active",
                created_ms=created_ms or 0,
                updated_ms=updated_ms or created_ms or 0,
                tags=tags[number],
            )
            for number, name, location, lifecycle, created_ms, updated_ms in self._of(
                "experiments",
                "experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time",
                order="experiment_id",
            )
        ]  # fmt: skip

    def run_ids(self) -> Sequence[str]:
        known = {one.number for one in self.experiments()}
        rows = self._of("runs", "run_uuid", "experiment_id", "start_time", order="start_time, run_uuid")
        return [run for run, experiment, _ in rows if experiment in known]

    def runs(self, ids: Sequence[str]) -> Sequence[StoredRun]:
        params, tags = self._pairs("params", ids), self._pairs("tags", ids)
        points: dict[str, Points] = defaultdict(Points)
        columns = ("run_uuid", "key", "value", "is_nan", "step", "timestamp")
        for run, key, value, is_nan, step, at_ms in self._of("metrics", *columns, among=("run_uuid", ids)):
            points[run].add(key, float("nan") if is_nan else float(value), step or 0, at_ms)
        datasets, models, outputs = self._inputs(ids)
        rows = self._of(
            "runs",
            "run_uuid", "experiment_id", "name", "status", "user_id", "start_time", "end_time", "lifecycle_stage",
            "deleted_time", "artifact_uri",
            among=("run_uuid", ids),
        )  # fmt: skip
        found = {}
        for run, experiment, name, status, user, start, end, lifecycle, deleted_ms, artifact_uri in rows:
            found[run] = StoredRun(
                run=run,
                experiment=experiment,
                name=name or tags[run].get(NAME_TAG, ""),
                status=status or "RUNNING",
                user_id=user or "",
                start_ms=start,
                end_ms=end,
                lifecycle=lifecycle or "active",
                deleted_ms=deleted_ms,
                artifact_uri=artifact_uri or "",
                params=params[run],
                tags=tags[run],
                points=points[run],
                datasets=datasets[run],
                models=models[run],
                outputs=outputs[run],
            )
        return [found[run] for run in ids if run in found]

    def _pairs(self, table: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for run, key, value in self._of(table, "run_uuid", "key", "value", among=("run_uuid", ids)):
            found[run][key] = value or ""
        return found

    def _inputs(
        self, ids: Sequence[str]
    ) -> tuple[dict[str, list[DatasetInput]], dict[str, list[str]], dict[str, list[ModelOutput]]]:
        datasets: dict[str, list[DatasetInput]] = defaultdict(list)
        models: dict[str, list[str]] = defaultdict(list)
        outputs: dict[str, list[ModelOutput]] = defaultdict(list)
        columns = ("input_uuid", "source_type", "source_id", "destination_type", "destination_id", "step")
        used = [row for row in self._of("inputs", *columns, among=("destination_id", ids)) if row[3] == "RUN"]
        described = self._datasets([row[2] for row in used])
        tags: dict[str, list[Pair]] = defaultdict(list)
        for entry, key, value in self._of(
            "input_tags", "input_uuid", "name", "value", among=("input_uuid", [row[0] for row in used])
        ):
            tags[entry].append(Pair(key, value))
        for entry, kind, source, _, run, _ in used:
            if kind == "DATASET" and source in described:
                name, digest, source_type, content, schema, profile = described[source]
                datasets[run].append(
                    DatasetInput(
                        name=name,
                        digest=digest,
                        source_type=source_type,
                        source=content,
                        schema=schema,
                        profile=profile,
                        tags=sorted(tags[entry], key=lambda tag: tag.key),
                    )
                )
        for _, kind, run, _, model, step in self._of("inputs", *columns, among=("source_id", ids)):
            if kind == "RUN_INPUT":
                models[run].append(model)
            elif kind == "RUN_OUTPUT":
                outputs[run].append(ModelOutput(model, step or 0))
        return datasets, models, outputs

    def _datasets(self, ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        columns = (
            "dataset_uuid", "name", "digest", "dataset_source_type", "dataset_source", "dataset_schema", "dataset_profile",
        )  # fmt: skip
        return {row[0]: row[1:] for row in self._of("datasets", *columns, among=("dataset_uuid", ids))}

    def logged_models(self) -> Iterator[StoredLoggedModel]:
        known = {one.number for one in self.experiments()}
        params, tags = (self._model_pairs(kind) for kind in ("param", "tag"))
        points: dict[str, list[ModelPoint]] = defaultdict(list)
        for model, key, value, at_ms, step, run, name, digest in self._of(
            "logged_model_metrics",
            "model_id", "metric_name", "metric_value", "metric_timestamp_ms", "metric_step", "run_id", "dataset_name",
            "dataset_digest",
        ):  # fmt: skip
            points[model].append(ModelPoint(key, value, at_ms, step, model, run, name, digest))
        for row in self._of(
            "logged_models",
            "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms",
            "last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id", "status_message",
            order="creation_timestamp_ms, model_id",
        ):  # fmt: skip
            model, experiment, name, location, created_ms, updated_ms, status, lifecycle, kind, run, message = row
            if experiment in known:
                yield StoredLoggedModel(
                    model=model,
                    experiment=experiment,
                    name=name,
                    artifact_location=location,
                    created_ms=created_ms,
                    updated_ms=updated_ms,
                    status=status,
                    lifecycle=lifecycle or "active",
                    model_type=kind,
                    source_run=run,
                    status_message=message,
                    params=params[model],
                    tags=tags[model],
                    metrics=points[model],
                )

    def _model_pairs(self, kind: str) -> dict[str, list[Pair]]:
        found: dict[str, list[Pair]] = defaultdict(list)
        columns = ("model_id", f"{kind}_key", f"{kind}_value")
        for model, key, value in self._of(f"logged_model_{kind}s", *columns, order="model_id, 2"):
            found[model].append(Pair(key, value))
        return found

    def models(self) -> Iterator[StoredModel]:
        tags: dict[str, dict[str, str]] = defaultdict(dict)
        for name, key, value in self._of("registered_model_tags", "name", "key", "value"):
            tags[name][key] = value or ""
        aliases: dict[str, dict[str, int]] = defaultdict(dict)
        for name, alias, version in self._of("registered_model_aliases", "name", "alias", "version"):
            aliases[name][alias] = version
        versions = self._versions()
        for name, created_ms, updated_ms, description in self._of(
            "registered_models", "name", "creation_time", "last_updated_time", "description", order="name"
        ):
            yield StoredModel(
                name=name,
                description=description,
                created_ms=created_ms or 0,
                updated_ms=updated_ms or created_ms or 0,
                tags=tags[name],
                aliases=aliases[name],
                versions=versions[name],
            )

    def _versions(self) -> dict[str, list[StoredVersion]]:
        tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        for name, number, key, value in self._of("model_version_tags", "name", "version", "key", "value"):
            tags[name, number][key] = value or ""
        found: dict[str, list[StoredVersion]] = defaultdict(list)
        for row in self._of(
            "model_versions",
            "name", "version", "creation_time", "last_updated_time", "description", "current_stage", "source",
            "storage_location", "run_id", "run_link", order="name, version",
        ):  # fmt: skip
            name, number, created_ms, updated_ms, description, stage, source, location, run, link = row
            if stage == "Deleted_Internal":
                continue
            found[name].append(
                StoredVersion(
                    number=number,
                    source=source or "",
                    location=location,
                    run_id=run or None,
                    run_link=link or None,
                    logged_model=logged_model_of(source or ""),
                    description=description,
                    stage=stage or "None",
                    created_ms=created_ms or 0,
                    updated_ms=updated_ms or created_ms or 0,
                    tags=tags[name, number],
                )
            )
        return found

    def files(self, location: str) -> Sequence[LocalFile]:
        return self._places.files(location)

    def not_read(self) -> Mapping[str, int]:
        counts = {
            kind: self._rows.all(f"select count(*) from {table}")[0][0]  # noqa: S608 -- a table of the list above
            for kind, table in _NOT_READ.items()
            if self._rows.columns(table)
        }
        if "workspace" in self._rows.columns("experiments"):
            statement = f"select count(*) from experiments where workspace <> {self._rows.mark}"  # noqa: S608 -- a mark
            counts["experiments of other workspaces"] = self._rows.all(statement, (self._workspace,))[0][0]
        return {kind: count for kind, count in counts.items() if count}

    def close(self) -> None:
        self._rows.close()

    def _of(
        self, table: str, *columns: str, among: tuple[str, Sequence[str]] | None = None, order: str = ""
    ) -> list[tuple[Any, ...]]:
        """Columns of a table, those of this workspace; a column that is not there is null, a table that is not there empty."""
        known = self._known.setdefault(table, self._known.get(table) or self._rows.columns(table))
        if not known or (among is not None and not among[1]):
            return []
        listed = ", ".join(column if column in known else "null" for column in columns)
        clauses, parameters = [], []
        if "workspace" in known:
            clauses.append(f"workspace = {self._rows.mark}")
            parameters.append(self._workspace)
        if among is not None:
            clauses.append(f"{among[0]} in ({', '.join([self._rows.mark] * len(among[1]))})")
            parameters.extend(among[1])
        where = f" where {' and '.join(clauses)}" if clauses else ""
        ordered = f" order by {order}" if order else ""
        return self._rows.all(f"select {listed} from {table}{where}{ordered}", parameters)  # noqa: S608 -- fixed names


def logged_model_of(source: str) -> str | None:
    """The logged model that a version's source names, if it names one."""
    model = source.removeprefix("models:/")
    return model if model != source and model.startswith("m-") and "/" not in model else None
