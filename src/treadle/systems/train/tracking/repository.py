"""The rows of experiments and tracked runs. Reads and writes, no rules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treadle.kernel.store import Reader, Row, Statement, Statements, Transaction
from treadle.systems.train.tracking.records import DatasetInput, Experiment, ModelOutput, Pair, Point, TrackedRun

sql = Statements(__package__)


class ExperimentRows:
    """Experiments and their tags."""

    def find(self, reader: Reader, project: str, number: int) -> Experiment | None:
        """The experiment with its tags, deleted or not; None when there never was one."""
        if not -(2**63) <= number < 2**63:
            return None
        return self._with_tags(
            reader, project, reader.find(sql.find_experiment, {"project": project, "number": number})
        )

    def find_alone(self, reader: Reader, project: str, number: int) -> Experiment | None:
        """The experiment without its tags."""
        row = None
        if -(2**63) <= number < 2**63:
            row = reader.find(sql.find_experiment, {"project": project, "number": number})
        return None if row is None else _experiment(row, [])

    def find_named(self, reader: Reader, project: str, name: str) -> Experiment | None:
        """The experiment of a name, deleted or not."""
        return self._with_tags(
            reader, project, reader.find(sql.find_experiment_named, {"project": project, "name": name})
        )

    def load(self, reader: Reader, project: str, numbers: Sequence[int]) -> list[Experiment]:
        """The experiments of these numbers, in their order, with their tags."""
        values = {"project": project, "numbers": json.dumps(list(numbers))}
        tags = _pairs(reader.all(sql.tags_of_experiments, values))
        found = {row[0]: _experiment(row, tags[row[0]]) for row in reader.all(sql.experiments, values)}
        return [found[number] for number in numbers if number in found]

    def newest(self, reader: Reader, project: str, *, before: int, limit: int, with_deleted: bool) -> list[Experiment]:
        """Experiments below a number, newest first."""
        values = {"project": project, "before": before, "limit": limit, "with_deleted": int(with_deleted)}
        rows = reader.all(sql.newest_experiments, values)
        tags = _pairs(
            reader.all(sql.tags_of_experiments, {"project": project, "numbers": json.dumps([row[0] for row in rows])})
        )
        return [_experiment(row, tags[row[0]]) for row in rows]

    def add(self, tx: Transaction, project: str, name: str, location: str, root: str, at_ms: int) -> int | None:
        """The number of the new experiment, or None when the name is taken. Two that race for a number are told apart."""
        while tx.find(sql.find_experiment_named, {"project": project, "name": name}) is None:
            row = tx.find(sql.newest_experiment, {"project": project})
            number = 1 + max(0, int(row[0]) if row else 0)
            if self.insert(tx, project, number, name, location or below(root, str(number)), at_ms):
                return number
        return None

    def insert(self, tx: Transaction, project: str, number: int, name: str, location: str, at_ms: int) -> bool:
        """Whether neither number nor name were taken."""
        values = {
            "project": project, "number": number, "name": name, "artifact_location": location, "at_ms": at_ms,
        }  # fmt: skip
        return tx.execute(sql.insert_experiment, values) == 1

    def put_tags(self, tx: Transaction, project: str, number: int, tags: Iterable[Pair]) -> None:
        """Sets tags."""
        rows = [{"project": project, "number": number, "key": tag.key, "value": tag.value} for tag in tags]
        if rows:
            tx.put_many(sql.put_experiment_tag, rows)

    def _with_tags(self, reader: Reader, project: str, row: Row | None) -> Experiment | None:
        if row is None:
            return None
        tags = reader.all(sql.tags_of_experiments, {"project": project, "numbers": f"[{row[0]}]"})
        return _experiment(row, [Pair(key, value) for _, key, value in tags])


def _experiment(row: Row, tags: list[Pair]) -> Experiment:
    number, name, location, lifecycle, created_ms, updated_ms = row
    return Experiment(
        number=number,
        name=name,
        artifact_location=location,
        lifecycle=lifecycle,
        created_ms=created_ms,
        updated_ms=updated_ms,
        tags=tags,
    )


def below(uri: str, *names: str) -> str:
    """A location below another one; a query stays at the end."""
    place, mark, query = uri.partition("?")
    return f"{place.rstrip('/') if place != '/' else ''}/{'/'.join(names)}{mark}{query}"


@dataclass(frozen=True, slots=True)
class RunToWrite:
    """What a write has to know of a run, read in its own transaction."""

    number: int
    experiment: int
    lifecycle: str
    origin: str
    status: str
    name: str


class TrackedRunRows:
    """Runs and what stands in them now."""

    def to_write(self, tx: Transaction, project: str, run: str) -> RunToWrite | None:
        """What a write has to know of a run, or None when there is none."""
        row = tx.find(sql.run_to_write, {"project": project, "run": run})
        return None if row is None else RunToWrite(*row)

    def find(self, reader: Reader, project: str, run: str) -> TrackedRun | None:
        """The run with everything in it, deleted or not."""
        row = reader.find(sql.find_tracked_run, {"project": project, "run": run})
        return None if row is None else self._filled(reader, project, [row])[0]

    def load(self, reader: Reader, project: str, numbers: Sequence[int]) -> list[TrackedRun]:
        """The runs of these numbers, in their order, with everything in them: seven statements, however many they are."""
        values = {"project": project, "numbers": json.dumps(list(numbers))}
        rows = {row[0]: row for row in reader.all(sql.tracked_runs, values)}
        return self._filled(reader, project, [rows[number] for number in numbers if number in rows])

    def load_info(self, reader: Reader, project: str, numbers: Sequence[int]) -> list[TrackedRun]:
        """The runs of these numbers, in their order, without what was logged in them."""
        values = {"project": project, "numbers": json.dumps(list(numbers))}
        rows = {row[0]: row for row in reader.all(sql.tracked_runs, values)}
        return [_run(rows[number]) for number in numbers if number in rows]

    def find_info(self, reader: Reader, project: str, run: str) -> TrackedRun | None:
        """The run alone, without what was logged in it."""
        row = reader.find(sql.find_tracked_run, {"project": project, "run": run})
        return None if row is None else _run(row)

    def numbers(self, reader: Reader, project: str, runs: Sequence[str]) -> dict[str, int]:
        """The numbers of the runs that there are."""
        return dict(reader.all(sql.numbers_of_runs, {"project": project, "runs": json.dumps(list(runs))}))

    def insert(self, tx: Transaction, values: Mapping[str, Any]) -> None:
        """Records a run."""
        tx.put(sql.insert_tracked_run, values)

    def put_tags(self, tx: Transaction, project: str, run: RunToWrite, tags: Iterable[Pair]) -> None:
        """Sets tags; of one that comes twice the last stands."""
        rows = [_entry(project, run, key, value) for key, value in {tag.key: tag.value for tag in tags}.items()]
        _execute(tx, sql.put_tag, rows)

    def params(self, reader: Reader, project: str, number: int) -> dict[str, str]:
        """The parameters of a run."""
        return dict(reader.all(sql.params_of_run, {"project": project, "number": number}))

    def add_params(self, tx: Transaction, project: str, run: RunToWrite, params: Iterable[Pair]) -> None:
        """Adds parameters; one that is there stays as it is."""
        _execute(tx, sql.insert_param, [_entry(project, run, param.key, param.value) for param in params])

    def _filled(self, reader: Reader, project: str, rows: Sequence[Row]) -> list[TrackedRun]:
        values = {"project": project, "numbers": json.dumps([row[0] for row in rows])}
        metrics: dict[int, list[Point]] = defaultdict(list)
        for number, key, value, is_nan, at_ms, step in reader.all(sql.latest_of_runs, values):
            metrics[number].append(Point(key, None if is_nan else value, at_ms, step))
        params = _pairs(reader.all(sql.params_of_runs, values))
        tags = _pairs(reader.all(sql.tags_of_runs, values))
        datasets = self._datasets(reader, values)
        models: dict[int, list[str]] = defaultdict(list)
        for number, model in reader.all(sql.models_of_runs, values):
            models[number].append(model)
        outputs: dict[int, list[ModelOutput]] = defaultdict(list)
        for number, model, step in reader.all(sql.outputs_of_runs, values):
            outputs[number].append(ModelOutput(model, step))
        return [
            _run(
                row,
                metrics=metrics[row[0]],
                params=params[row[0]],
                tags=tags[row[0]],
                datasets=datasets[row[0]],
                models=models[row[0]],
                outputs=outputs[row[0]],
            )
            for row in rows
        ]

    def _datasets(self, reader: Reader, values: Mapping[str, Any]) -> dict[int, list[DatasetInput]]:
        found: dict[int, list[DatasetInput]] = defaultdict(list)
        rows = reader.all(sql.datasets_of_runs, values)
        if not rows:
            return found
        tags: dict[tuple[int, str], list[Pair]] = defaultdict(list)
        for number, source, name, value in reader.all(sql.input_tags_of_runs, values):
            tags[number, source].append(Pair(name, value))
        for number, source, name, digest, source_type, content, schema, profile in rows:
            found[number].append(
                DatasetInput(
                    name=name,
                    digest=digest,
                    source_type=source_type,
                    source=content,
                    schema=schema,
                    profile=profile,
                    tags=tags[number, source],
                )
            )
        return found


def _run(row: Row, **logged: Any) -> TrackedRun:
    number, run, experiment, name, status, user_id, start_ms, end_ms, lifecycle, artifact_uri = row
    return TrackedRun(
        number=number,
        run=run,
        experiment=experiment,
        name=name,
        status=status,
        user_id=user_id,
        start_ms=start_ms,
        end_ms=end_ms,
        lifecycle=lifecycle,
        artifact_uri=artifact_uri,
        **logged,
    )


def _entry(project: str, run: RunToWrite, key: str, value: str) -> dict[str, Any]:
    return {"project": project, "number": run.number, "key": key, "value": value, "experiment": run.experiment}


def _execute(tx: Transaction, statement: Statement, rows: list[dict[str, Any]]) -> None:
    if len(rows) == 1:
        tx.put(statement, rows[0])
    elif rows:
        tx.put_many(statement, rows)


def _pairs(rows: Iterable[Row]) -> dict[int, list[Pair]]:
    found: dict[int, list[Pair]] = defaultdict(list)
    for number, key, value in rows:
        found[number].append(Pair(key, value))
    return found
