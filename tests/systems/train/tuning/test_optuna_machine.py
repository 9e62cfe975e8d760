"""On any sequence of calls our storage says what Optuna's in-memory storage says, for the writer and for another process."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import optuna
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from tests.systems.train.tuning.opening import Opened, forget
from treadle.systems.train.tuning.optuna_storage import OptunaStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)

NUMBERS = st.floats(allow_nan=False)
KEYS = st.sampled_from(["a", "b", "naïve 漢字", ""])
TEMPLATE_PARAMS = st.sampled_from(["given", "given too"])
"""Names of their own: the in-memory storage does not compare what is set later with what a template said; we do."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
DISTRIBUTIONS = st.sampled_from(
    [
        FloatDistribution(0.0, 1.0),
        FloatDistribution(0.0, 2.0),
        FloatDistribution(0.1, 1.0, log=True),
        IntDistribution(0, 1),
        CategoricalDistribution((None, True, 3, 0.5, "word")),
        CategoricalDistribution(("word", "other")),
    ]
)
STATES = st.sampled_from(list(TrialState))
LATER_STATES = st.sampled_from([state for state in TrialState if state is not TrialState.WAITING])
"""Nothing sets a trial waiting again, and the in-memory storage would not find it."""
Answer = tuple[str, Any]


@st.composite
def templates(draw: Callable[..., Any]) -> FrozenTrial:
    """A trial such as `enqueue_trial`, `add_trial` and `copy_study` give."""
    state = draw(STATES)
    distributions = draw(st.dictionaries(TEMPLATE_PARAMS, DISTRIBUTIONS, max_size=2))
    return create_trial(
        state=state,
        values=[draw(NUMBERS)] if state is TrialState.COMPLETE else None,
        params={name: one.to_external_repr(1) for name, one in distributions.items()},
        distributions=distributions,
        user_attrs=draw(st.dictionaries(KEYS, JSON, max_size=2)),
        system_attrs=draw(st.dictionaries(KEYS, JSON, max_size=2)),
        intermediate_values=draw(st.dictionaries(st.integers(0, 3), st.floats(), max_size=2)),
    )


class Storages(RuleBasedStateMachine):
    """The same calls to Optuna's storage and to ours."""

    studies = Bundle("studies")
    trials = Bundle("trials")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.place = f"{self.folder.name}/treadle.db"
        self.theirs = InMemoryStorage()
        self.ours, self.watching = OptunaStorage(Opened(self.place)), OptunaStorage(Opened(self.place))
        self.known: dict[int, int] = {}
        self.names: dict[int, str] = {}

    def teardown(self) -> None:
        forget(self.place)
        self.folder.cleanup()

    def both(self, call: Callable[[Any, Any], Any], pair: tuple[int, int]) -> tuple[Any, Any]:
        """The answers of both, which are of one kind: a value, or an error of one class."""
        theirs, ours = answer(lambda: call(self.theirs, pair[0])), answer(lambda: call(self.ours, pair[1]))
        assert theirs[0] == ours[0], f"{theirs} but {ours}"
        return theirs[1], ours[1]

    @rule(target=studies, name=st.sampled_from(["s", "t", "", None]), count=st.integers(1, 2), data=st.data())
    def create(self, name: str | None, count: int, data: st.DataObject) -> Any:
        directions = [
            data.draw(st.sampled_from([StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE])) for _ in range(count)
        ]
        pair = self.both(lambda storage, _: storage.create_new_study(directions, name), (0, 0))
        if pair[0] is None:
            return multiple()
        self.known[pair[0]] = pair[1]
        return pair

    @rule(study=consumes(studies))
    def delete(self, study: tuple[int, int]) -> None:
        self.both(lambda storage, id: storage.delete_study(id), study)
        self.known.pop(study[0], None)

    @rule(study=studies, key=KEYS, value=JSON, is_user=st.booleans())
    def describe_study(self, study: tuple[int, int], key: str, value: Any, is_user: bool) -> None:
        name = "set_study_user_attr" if is_user else "set_study_system_attr"
        self.both(lambda storage, id: getattr(storage, name)(id, key, value), study)

    @rule(target=trials, study=studies, template=st.none() | templates())
    def add_trial(self, study: tuple[int, int], template: FrozenTrial | None) -> Any:
        pair = self.both(lambda storage, id: storage.create_new_trial(id, template), study)
        return multiple() if pair[0] is None else pair

    @rule(trial=trials, name=KEYS, distribution=DISTRIBUTIONS)
    def set_param(self, trial: tuple[int, int], name: str, distribution: Any) -> None:
        self.both(lambda storage, id: storage.set_trial_param(id, name, 1.0, distribution), trial)

    @rule(trial=trials, state=LATER_STATES, value=st.none() | NUMBERS)
    def move(self, trial: tuple[int, int], state: TrialState, value: float | None) -> None:
        if state is TrialState.COMPLETE and value is None:
            value = 0.0
        values = None if value is None else [value]
        theirs, ours = self.both(lambda storage, id: storage.set_trial_state_values(id, state, values), trial)
        assert theirs == ours

    @rule(trial=trials, step=st.integers(0, 3), value=st.floats())
    def report(self, trial: tuple[int, int], step: int, value: float) -> None:
        self.both(lambda storage, id: storage.set_trial_intermediate_value(id, step, value), trial)

    @rule(trial=trials, key=KEYS, value=JSON, is_user=st.booleans())
    def describe_trial(self, trial: tuple[int, int], key: str, value: Any, is_user: bool) -> None:
        name = "set_trial_user_attr" if is_user else "set_trial_system_attr"
        self.both(lambda storage, id: getattr(storage, name)(id, key, value), trial)

    @rule(trial=trials)
    def get(self, trial: tuple[int, int]) -> None:
        theirs, ours = self.both(lambda storage, id: storage.get_trial(id), trial)
        assert theirs is None or seen(theirs) == seen(ours)

    @rule(study=studies)
    def best(self, study: tuple[int, int]) -> None:
        theirs, ours = self.both(lambda storage, id: storage.get_best_trial(id), study)
        assert theirs is None or theirs.values == ours.values

    @invariant()
    def all_that_is_read_is_alike(self) -> None:
        expected = {self.known[study._study_id]: study for study in self.theirs.get_all_studies()}
        for reader in (self.ours, self.watching):
            found = reader.get_all_studies()
            assert [study._study_id for study in found] == sorted(expected)
            for study in found:
                like = expected[study._study_id]
                assert study.user_attrs == like.user_attrs
                assert study.system_attrs == like.system_attrs
                assert study.directions == like.directions
                for states in (
                    None,
                    (TrialState.COMPLETE, TrialState.PRUNED),
                    (TrialState.WAITING,),
                    tuple(TrialState),
                ):
                    ours = reader.get_all_trials(study._study_id, states=states)
                    theirs = self.theirs.get_all_trials(like._study_id, states=states)
                    assert [seen(one) for one in ours] == [seen(one) for one in theirs]


def answer(call: Callable[[], Any]) -> Answer:
    try:
        return "answered", call()
    except Exception as error:  # the kinds of errors are what is compared
        return type(error).__name__, None


def seen(trial: FrozenTrial) -> list[Any]:
    """All of a trial but its id and its times, in a form in which NaN equals NaN."""
    times = [type(at) if isinstance(at, datetime) else at for at in (trial.datetime_start, trial.datetime_complete)]
    reports = {step: "nan" if math.isnan(value) else value for step, value in trial.intermediate_values.items()}
    return [
        trial.number,
        trial.state,
        trial.values,
        trial.params,
        trial.distributions,
        trial.user_attrs,
        trial.system_attrs,
        reports,
        times,
    ]


TestStorages = Storages.TestCase
TestStorages.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
