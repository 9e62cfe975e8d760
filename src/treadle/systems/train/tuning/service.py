"""The verbs of studies: what an optimizer needs of a store.

Every write takes the next number of its study's journal first, and so has the study to itself until it commits: trial
numbers come without gaps, and of two that set a waiting trial running, one is told that it was first.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.tracking.metric_rows import written
from treadle.systems.train.tuning.errors import StudyExists, StudyNotFound, TrialFinished, TrialNotFound
from treadle.systems.train.tuning.ports import TrialRuns
from treadle.systems.train.tuning.records import (
    FINISHED,
    AskTrial,
    Changes,
    ChangesAfter,
    CreateStudy,
    Report,
    StaleTrials,
    Study,
    StudyNamed,
    StudyNumbered,
    TellTrial,
    Told,
    TrialAdded,
    TrialNumbered,
    TrialState,
)
from treadle.systems.train.tuning.repository import StudyRows

_Studies = list[Study]
_Numbers = list[int]


class Studies:
    """Studies and their trials. runs: where each trial is written down as a run as well; None leaves that out."""

    def __init__(self, store: Store, events: EventLog, clock: Clock, runs: TrialRuns | None = None) -> None:
        self._store, self._events, self._clock, self._runs = store, events, clock, runs
        self._rows = StudyRows()

    @verb("studies.create", permission="study.write", event="study.created")
    def create(self, caller: Caller, request: CreateStudy) -> Study:
        """A new study. Raises StudyExists."""
        run_number = self._runs.take_number(caller.project) if self._runs is not None else 0
        return self._store.write(lambda tx: self._create_in(tx, caller, request, run_number))

    def _create_in(self, tx: Transaction, caller: Caller, request: CreateStudy, run_number: int) -> Study:
        while True:
            if self._rows.find_named(tx, caller.project, request.name) is not None:
                raise StudyExists(
                    f"There is a study {request.name!r} already.",
                    fix="Take it up with load_if_exists=True, or choose another name.",
                    study=request.name,
                )
            study = Study(
                number=self._rows.next_number(tx, caller.project),
                name=request.name,
                directions=list(request.directions),
                change=0,
                trials=0,
                run=None,
                actor=caller.actor,
                recorded_at=self._clock(),
            )
            if self._rows.add(tx, caller.project, study):  # two that race for a number are told apart by its key
                break
        if self._runs is not None:
            run = self._runs.begin_study(tx, caller, run_number, study.number, study.name, study.directions)
            self._rows.set_run(tx, caller.project, study.number, run)
            study = replace(study, run=run)
        self._leave(tx, caller, "study.created", study)
        return study

    @verb("studies.get", permission="study.read")
    def get(self, caller: Caller, request: StudyNamed) -> Study:
        """A study by number or name. Raises StudyNotFound."""
        with self._store.read() as reader:
            if request.number is not None:
                found = self._rows.find(reader, caller.project, request.number)
            else:
                found = self._rows.find_named(reader, caller.project, request.name or "")
            if found is None:
                raise self._unknown(reader, caller, request.name if request.number is None else request.number)
            return found

    @verb("studies.list", permission="study.read")
    def list(self, caller: Caller) -> _Studies:
        """Every study of the project, the first first."""
        with self._store.read() as reader:
            return self._rows.all(reader, caller.project)

    @verb("studies.delete", permission="study.write", event="study.deleted")
    def delete(self, caller: Caller, request: StudyNumbered) -> Study:
        """Ends a study and its trials; the runs of its trials stay. Raises StudyNotFound."""

        def work(tx: Transaction) -> Study:
            found = self._rows.find(tx, caller.project, request.study)
            if found is None or not self._rows.delete(tx, caller.project, request.study, at=self._clock()):
                raise self._unknown(tx, caller, request.study)
            if self._runs is not None and found.run is not None:
                self._runs.end_study(tx, caller, found.run)
            self._leave(tx, caller, "study.deleted", found)
            return found

        return self._store.write(work)

    @verb("studies.changes", permission="study.read")
    def changes(self, caller: Caller, request: ChangesAfter) -> Changes:
        """What was written to a study after a change. Costs one small statement when there is nothing new."""
        with self._store.read() as reader:
            newest = self._rows.newest_change(reader, caller.project, request.study)
            if newest is None:
                raise self._unknown(reader, caller, request.study)
            if newest == request.after:
                return Changes(position=newest, is_complete=True, changes=())
            found = self._rows.changes(reader, caller.project, request.study, after=request.after, limit=request.limit)
        is_complete = len(found) < request.limit
        return Changes(position=newest if is_complete else found[-1].number, is_complete=is_complete, changes=found)

    @verb("studies.ask", permission="study.write")
    def ask(self, caller: Caller, request: AskTrial) -> TrialAdded:
        """A new trial with the next number of its study. Raises StudyNotFound."""
        run_number = self._runs.take_number(caller.project) if self._runs is not None else 0
        return written(self._store, lambda tx: self._ask_in(tx, caller, request, run_number))

    def _ask_in(self, tx: Transaction, caller: Caller, request: AskTrial, run_number: int) -> TrialAdded:
        added = self._rows.add_trial(tx, caller.project, request.study)
        if added is None:
            raise self._unknown(tx, caller, request.study)
        change, number, study_run = added
        body = {"state": request.state, **json.loads(request.body)}
        run = None
        if self._runs is not None and study_run is not None:
            run = self._runs.begin_trial(tx, caller, run_number, study_run, number, request.state, body)
        self._rows.insert_trial(tx, caller.project, request.study, number, request.state, run)
        self._rows.append(
            tx, caller.project, request.study, change, trial=number, kind="trial", key="", body=json.dumps(body)
        )
        return TrialAdded(number=number, change=change)

    @verb("studies.report", permission="study.write")
    def report(self, caller: Caller, request: Report) -> int:
        """Writes a parameter, an intermediate value or an attribute; answers the number of the change.

        Raises StudyNotFound, TrialNotFound, TrialFinished.
        """
        return written(self._store, lambda tx: self._report_in(tx, caller, request))

    def _report_in(self, tx: Transaction, caller: Caller, request: Report) -> int:
        change = self._advance(tx, caller, request.study)
        if request.trial is not None:
            _, run = self._unfinished(tx, caller, request.study, request.trial)
            if self._runs is not None and run is not None:
                self._runs.write(tx, caller, run, request.kind, request.key, json.loads(request.body))
        self._rows.append(
            tx,
            caller.project,
            request.study,
            change,
            trial=request.trial,
            kind=request.kind,
            key=request.key,
            body=request.body,
        )
        return change

    @verb("studies.tell", permission="study.write")
    def tell(self, caller: Caller, request: TellTrial) -> Told:
        """Moves a trial to its next state; of several that set a waiting trial running, one is told that it moved it.

        Raises StudyNotFound, TrialNotFound, TrialFinished.
        """
        return written(self._store, lambda tx: self._tell_in(tx, caller, request))

    def _tell_in(self, tx: Transaction, caller: Caller, request: TellTrial) -> Told:
        change = self._advance(tx, caller, request.study)
        state, run = self._unfinished(tx, caller, request.study, request.trial)
        if request.state == "running" and state != "waiting":
            return Told(is_moved=False, change=change)
        body = {"state": request.state, **json.loads(request.body)}
        self._rows.move_trial(tx, caller.project, request.study, request.trial, request.state)
        if self._runs is not None and run is not None:
            self._runs.move(tx, caller, run, request.state, body.get("values") or ())
        self._rows.append(
            tx, caller.project, request.study, change, trial=request.trial, kind="state", key="", body=json.dumps(body)
        )
        return Told(is_moved=True, change=change)

    @verb("studies.beat", permission="study.write")
    def beat(self, caller: Caller, request: TrialNumbered) -> None:
        """Says that a trial is alive. Raises TrialNotFound."""
        at = self._clock()
        if not self._store.write(lambda tx: self._rows.beat(tx, caller.project, request.study, request.trial, at=at)):
            raise _no_trial(request.study, request.trial)

    @verb("studies.stale", permission="study.read")
    def stale(self, caller: Caller, request: StaleTrials) -> _Numbers:
        """The running trials that have beaten once, but not for a while."""
        before = self._clock() - timedelta(seconds=request.grace_s)
        with self._store.read() as reader:
            return self._rows.stale(reader, caller.project, request.study, before=before)

    def _advance(self, tx: Transaction, caller: Caller, study: int) -> int:
        change = self._rows.advance(tx, caller.project, study)
        if change is None:
            raise self._unknown(tx, caller, study)
        return change

    def _unfinished(self, tx: Transaction, caller: Caller, study: int, trial: int) -> tuple[TrialState, str | None]:
        found = self._rows.find_trial(tx, caller.project, study, trial)
        if found is None:
            raise _no_trial(study, trial)
        if found[0] in FINISHED:
            raise TrialFinished(
                f"Trial {trial} of study {study} has ended and does not change any more.",
                why=f"Its state is {found[0]}.",
                study=study,
                trial=trial,
            )
        return found

    def _leave(self, tx: Transaction, caller: Caller, kind: str, study: Study) -> None:
        self._events.append(
            tx,
            project=caller.project,
            kind=kind,
            subject=f"study/{study.number}",
            actor=caller.actor,
            body={"name": study.name, "directions": list(study.directions), "trials": study.trials, "run": study.run},
        )

    def _unknown(self, reader: Reader, caller: Caller, wanted: str | int | None) -> StudyNotFound:
        names = [study.name for study in self._rows.all(reader, caller.project)]
        return StudyNotFound(
            f"There is no study {wanted!r}.",
            why=did_you_mean(wanted, names) if isinstance(wanted, str) else "It was never made, or it was deleted.",
            fix="List them with: treadle studies list",
            study=wanted,
        )


def _no_trial(study: int, trial: int) -> TrialNotFound:
    return TrialNotFound(f"Study {study} has no trial {trial}.", study=study, trial=trial)
