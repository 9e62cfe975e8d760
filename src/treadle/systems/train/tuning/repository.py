"""The rows of studies: their heads, their journals, and the states of their trials."""

from __future__ import annotations

from datetime import datetime

from treadle.ground.clock import from_micros, to_micros
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.tuning.records import Change, ChangeKind, Study, TrialState

sql = Statements(__package__)


class StudyRows:
    """Finds and records studies, trials and changes."""

    def find(self, reader: Reader, project: str, number: int) -> Study | None:
        """The study of a number, unless it has been deleted."""
        row = reader.find(sql.find_study, {"project": project, "number": number})
        return None if row is None else _study(row)

    def find_named(self, reader: Reader, project: str, name: str) -> Study | None:
        """The study of a name."""
        row = reader.find(sql.find_study_named, {"project": project, "name": name})
        return None if row is None else _study(row)

    def all(self, reader: Reader, project: str) -> list[Study]:
        """Every study, in the order of their numbers."""
        return [_study(row) for row in reader.all(sql.studies, {"project": project})]

    def next_number(self, reader: Reader, project: str) -> int:
        """A number that no study has had."""
        row = reader.find(sql.newest_study, {"project": project})
        return (0 if row is None else int(row[0])) + 1

    def add(self, tx: Transaction, project: str, study: Study) -> bool:
        """Records a study; False when its number or its name was taken meanwhile."""
        values = {
            "project": project,
            "number": study.number,
            "name": study.name,
            "directions": ",".join(study.directions),
            "run": study.run,
            "actor": study.actor,
            "recorded_at": to_micros(study.recorded_at),
        }
        return tx.execute(sql.insert_study, values) == 1

    def set_run(self, tx: Transaction, project: str, number: int, run: str) -> None:
        """Says under which run those of the study's trials stand."""
        tx.put(sql.set_study_run, {"project": project, "number": number, "run": run})

    def delete(self, tx: Transaction, project: str, number: int, *, at: datetime) -> bool:
        """Ends a study; its number stays taken. False when there is none."""
        values = {"project": project, "number": number}
        if tx.execute(sql.delete_study, {**values, "at": to_micros(at)}) == 0:
            return False
        tx.put(sql.delete_changes, values)
        tx.put(sql.delete_trials, values)
        return True

    # The journal

    def newest_change(self, reader: Reader, project: str, study: int) -> int | None:
        """The number of the newest change, or None when there is no such study."""
        row = reader.find(sql.newest_change, {"project": project, "number": study})
        return None if row is None else row[0]

    def advance(self, tx: Transaction, project: str, study: int) -> int | None:
        """The number of the next change; from here on other writers of the study wait."""
        row = tx.find(sql.advance_study, {"project": project, "number": study})
        return None if row is None else row[0]

    def append(
        self,
        tx: Transaction,
        project: str,
        study: int,
        number: int,
        *,
        trial: int | None,
        kind: ChangeKind,
        key: str,
        body: str,
    ) -> None:
        """Writes the change of a number that `advance` or `add_trial` gave."""
        tx.put(
            sql.insert_change,
            {
                "project": project,
                "study": study,
                "number": number,
                "trial": trial,
                "kind": kind,
                "key": key,
                "body": body,
            },
        )

    def changes(self, reader: Reader, project: str, study: int, *, after: int, limit: int) -> list[Change]:
        """The changes after a number, in order."""
        values = {"project": project, "study": study, "after": after, "limit": limit}
        return [Change(*row) for row in reader.all(sql.changes_after, values)]

    # Trials

    def add_trial(self, tx: Transaction, project: str, study: int) -> tuple[int, int, str | None] | None:
        """(change, number, run of the study) of the next trial, or None when there is no such study."""
        row = tx.find(sql.add_trial, {"project": project, "number": study})
        return None if row is None else (row[0], row[1], row[2])

    def insert_trial(
        self, tx: Transaction, project: str, study: int, number: int, state: TrialState, run: str | None
    ) -> None:
        """Records the head of a trial."""
        values = {"project": project, "study": study, "number": number, "state": state, "run": run}
        tx.put(sql.insert_trial, values)

    def find_trial(self, reader: Reader, project: str, study: int, number: int) -> tuple[TrialState, str | None] | None:
        """(state, run) of a trial, or None."""
        row = reader.find(sql.find_trial, {"project": project, "study": study, "number": number})
        return None if row is None else (row[0], row[1])

    def move_trial(self, tx: Transaction, project: str, study: int, number: int, state: TrialState) -> None:
        """Sets the state of a trial."""
        tx.put(sql.move_trial, {"project": project, "study": study, "number": number, "state": state})

    def beat(self, tx: Transaction, project: str, study: int, number: int, *, at: datetime) -> bool:
        """Says that a trial is alive; False when there is none."""
        values = {"project": project, "study": study, "number": number, "at": to_micros(at)}
        return tx.execute(sql.beat_trial, values) == 1

    def stale(self, reader: Reader, project: str, study: int, *, before: datetime) -> list[int]:
        """The running trials that have beaten last before a time."""
        values = {"project": project, "study": study, "before": to_micros(before)}
        return [number for (number,) in reader.all(sql.stale_trials, values)]


def _study(row: Row) -> Study:
    number, name, directions, change, trials, run, actor, recorded_at = row
    return Study(
        number=number,
        name=name,
        directions=directions.split(","),
        change=change,
        trials=trials,
        run=run,
        actor=actor,
        recorded_at=from_micros(recorded_at),
    )
