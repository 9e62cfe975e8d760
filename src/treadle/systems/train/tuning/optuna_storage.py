"""Optuna's storage on the store of Treadle: the verbs of studies on one side, `optuna.storages.BaseStorage` on the other.

A write is one verb, committed when the call returns. A read first asks what is new since the last one: what a process
has folded once it never reads again. This module and `optuna_view` are the ones that are about Optuna.
"""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import Any

from treadle.ground.errors import MissingExtra

try:
    import optuna
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("optuna", "optuna", "A storage for Optuna's studies") from error

from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.study import Study, StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from treadle.systems.train.tuning import records as said
from treadle.systems.train.tuning.errors import StudyExists, StudyNotFound, TrialFinished, TrialNotFound
from treadle.systems.train.tuning.optuna_view import TRIALS_OF_ONE_STUDY, WORDS, StudyView, distribution_of

CallVerb = Callable[[str, Any], Any]
"""Does a verb by its name with a request, in this process or over HTTP."""
StaleCallback = Callable[[Study, FrozenTrial], None]

_logger = optuna.logging.get_logger("optuna.storages.treadle")


class OptunaStorage(BaseStorage, BaseHeartbeat):
    """See the module. Threads may share it; a process that it is pickled to or forked into opens its own way to the store.

    connect: opens that way; it is pickled with the storage. heartbeat_interval: seconds between the signs of life of a
    running trial; without them a trial that was killed runs for ever. grace_period: seconds without one after which a
    trial is failed, twice the interval if not said; `heartbeat_stale_trial_callback` is then called with it.
    """

    def __init__(
        self,
        connect: Callable[[], CallVerb],
        *,
        heartbeat_interval: int | None = None,
        grace_period: int | None = None,
        heartbeat_stale_trial_callback: StaleCallback | None = None,
    ) -> None:
        if heartbeat_interval is not None and heartbeat_interval <= 0:
            raise ValueError("heartbeat_interval is a positive number of seconds, or None")
        if grace_period is not None and grace_period <= 0:
            raise ValueError("grace_period is a positive number of seconds, or None")
        self._connect = connect
        self.heartbeat_interval, self.grace_period = heartbeat_interval, grace_period
        self.heartbeat_stale_trial_callback = heartbeat_stale_trial_callback
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._verbs: CallVerb | None = None
        self._views: dict[int, StudyView] = {}

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_connect", "heartbeat_interval", "grace_period", "heartbeat_stale_trial_callback")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def _call(self, verb: str, request: Any = None) -> Any:
        """Does a verb. What is not there is a KeyError, as Optuna says it."""
        if self._verbs is None or self._pid != os.getpid():
            self._start()
            self._verbs = self._connect()
        try:
            return self._verbs(verb, request)
        except (StudyNotFound, TrialNotFound) as error:
            raise KeyError(error.what) from error
        except TrialFinished as error:
            raise UpdateFinishedTrialError(error.what) from error
        except StudyExists as error:
            raise DuplicatedStudyError(error.what) from error

    # Studies

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        name = DEFAULT_STUDY_NAME_PREFIX + str(uuid.uuid4()) if study_name is None else study_name
        words: list[said.Direction] = [
            "maximize" if direction is StudyDirection.MAXIMIZE else "minimize" for direction in directions
        ]
        number: int = self._call("studies.create", said.CreateStudy(name=name, directions=words)).number
        _logger.info(f"A new study created in Treadle with name: {name}")
        return number

    def delete_study(self, study_id: int) -> None:
        self._call("studies.delete", said.StudyNumbered(study=study_id))
        self._views.pop(study_id, None)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._report(study_id, None, "user", key, json.dumps(value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._report(study_id, None, "system", key, json.dumps(value))

    def get_study_id_from_name(self, study_name: str) -> int:
        number: int = self._call("studies.get", said.StudyNamed(name=study_name)).number
        return number

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._read(study_id).name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return list(self._read(study_id).directions)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._read(study_id).user

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._read(study_id).system

    def get_all_studies(self) -> list[FrozenStudy]:
        found = []
        for study in self._call("studies.list"):
            view = self._read(study.number)
            found.append(
                FrozenStudy(
                    study_name=view.name,
                    direction=None,
                    directions=list(view.directions),
                    user_attrs=copy.deepcopy(view.user),
                    system_attrs=copy.deepcopy(view.system),
                    study_id=study.number,
                )
            )
        return found

    # Trials, written

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        if template_trial is None:
            state, body = WORDS[TrialState.RUNNING], f'{{"started": "{datetime.now().isoformat()}"}}'
        else:
            state, body = WORDS[template_trial.state], json.dumps(_written(template_trial))
        added = self._call("studies.ask", said.AskTrial(study=study_id, state=state, body=body))
        self._note(study_id, added.change, added.number, "trial", "", json.dumps({"state": state, **json.loads(body)}))
        return study_id * TRIALS_OF_ONE_STUDY + int(added.number)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        view = self._known(study)
        if param_name not in view.distributions:
            view = self._read(study)
        known = view.distributions.get(param_name)
        if known is not None and known != distribution:
            self._check_updatable(view, number)
            check_distribution_compatibility(known, distribution)
        self._report(study, number, "param", param_name, json.dumps(_parameter(param_value_internal, distribution)))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        word = WORDS[state]
        body: dict[str, Any] = {"at": datetime.now().isoformat()}
        if values is not None:
            body["values"] = [float(value) for value in values]
        text = json.dumps(body)
        told = self._call("studies.tell", said.TellTrial(study=study, trial=number, state=word, body=text))
        if told.is_moved:
            self._note(study, told.change, number, "state", "", json.dumps({"state": word, **body}))
        return bool(told.is_moved)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        self._report(study, number, "report", str(int(step)), json.dumps(float(intermediate_value)))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        self._report(study, number, "user", key, json.dumps(value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        self._report(study, number, "system", key, json.dumps(value))

    # Trials, read

    def get_trial(self, trial_id: int) -> FrozenTrial:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        view = self._read(study)
        with view.lock:
            found = view.trial(number)
        if found is None:
            raise KeyError(f"No trial with trial_id {trial_id} exists.")
        return found

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return int(self.get_trial(study_id * TRIALS_OF_ONE_STUDY + trial_number)._trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        view = self._read(study_id)
        with view.lock:
            found = view.trials(states)
        return copy.deepcopy(found) if deepcopy else found

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        view = self._read(study_id)
        if len(view.directions) > 1:
            if not view.trials((TrialState.COMPLETE,)):
                raise ValueError("No trials are completed yet.")
            raise RuntimeError("Best trial can be obtained only for single-objective optimization.")
        best = view.best()
        if best is None:
            raise ValueError("No trials are completed yet.")
        return best

    # Signs of life

    def record_heartbeat(self, trial_id: int) -> None:
        study, number = divmod(trial_id, TRIALS_OF_ONE_STUDY)
        self._call("studies.beat", said.TrialNumbered(study=study, trial=number))

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        grace_s = self.grace_period or 2 * (self.heartbeat_interval or 0)
        stale = self._call("studies.stale", said.StaleTrials(study=study_id, grace_s=grace_s))
        return [study_id * TRIALS_OF_ONE_STUDY + number for number in stale]

    def get_heartbeat_interval(self) -> int | None:
        return self.heartbeat_interval

    def get_heartbeat_stale_trial_callback(self) -> StaleCallback | None:
        return self.heartbeat_stale_trial_callback

    def get_failed_trial_callback(self) -> StaleCallback | None:
        return self.heartbeat_stale_trial_callback  # the name before Optuna 4.9

    # What this process knows

    def _known(self, study: int) -> StudyView:
        view = self._views.get(study) if self._pid == os.getpid() else None
        if view is None:
            found = self._call("studies.get", said.StudyNamed(number=study))
            directions = [StudyDirection[word.upper()] for word in found.directions]
            view = self._views.setdefault(study, StudyView(study, found.name, directions))
        return view

    def _read(self, study: int) -> StudyView:
        """The study with all that is new folded in."""
        view = self._known(study)
        with view.lock:
            is_complete = False
            while not is_complete:
                try:
                    page = self._call("studies.changes", said.ChangesAfter(study=study, after=view.position))
                except KeyError:
                    self._views.pop(study, None)
                    raise
                for change in page.changes:
                    view.fold(change)
                view.position, is_complete = page.position, page.is_complete
        return view

    def _report(self, study: int, trial: int | None, kind: said.AttributeKind, key: str, body: str) -> None:
        request = said.Report(study=study, trial=trial, kind=kind, key=key, body=body)
        self._note(study, self._call("studies.report", request), trial, kind, key, body)

    def _note(self, study: int, change: int, trial: int | None, kind: said.ChangeKind, key: str, body: str) -> None:
        """Folds in what this process has just written, unless others wrote before it: then the next read brings all."""
        view = self._views.get(study)
        if view is not None:
            with view.lock:
                if view.position == change - 1:
                    view.fold(said.Change(change, trial, kind, key, body))

    def _check_updatable(self, view: StudyView, number: int) -> None:
        with view.lock:
            found = view.trial(number)
        if found is not None:
            self.check_trial_is_updatable(found._trial_id, found.state)


def _written(trial: FrozenTrial) -> dict[str, Any]:
    """A trial as the body of the change that makes it; what is not set is left out."""
    body = {
        "started": None if trial.datetime_start is None else trial.datetime_start.isoformat(),
        "completed": None if trial.datetime_complete is None else trial.datetime_complete.isoformat(),
        "values": None if trial.values is None else [float(value) for value in trial.values],
        "params": {
            name: _parameter(trial.distributions[name].to_internal_repr(value), trial.distributions[name])
            for name, value in trial.params.items()
        },
        "reports": {str(step): float(value) for step, value in trial.intermediate_values.items()},
        "user": trial.user_attrs,
        "system": trial.system_attrs,
    }
    return {name: value for name, value in body.items() if value}


def _parameter(internal: float, distribution: BaseDistribution) -> list[Any]:
    """(internal value, distribution, the value as a person reads it)."""
    written = distribution_to_json(distribution)
    return [float(internal), written, str(distribution_of(written).to_external_repr(internal))]
