"""A labelling project from its schema to its export: nothing is asked twice, nothing said is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.kernel.store import Store
from treadle.systems.labels import (
    AddTasks,
    Annotate,
    Annotation,
    CreateLabelProject,
    Labels,
    LabelsNamed,
    NewTask,
    NextTasks,
    Question,
    SkipTask,
    TaskNamed,
    TaskPage,
)
from treadle.systems.labels.errors import (
    InvalidAnswer,
    InvalidLabelSchema,
    LabelProjectExists,
    LabelProjectNotFound,
    LabelTaskNotFound,
    NotATask,
    TaskReviewed,
)

ADA, BOB, EVE = (Caller(project="p", actor=name) for name in ("ada", "bob", "eve"))
VERDICT = Question(name="verdict", kind="choice", choices=["error", "real"])
KNOTS = Question(name="knots", kind="number", minimum=0, maximum=200, required=False)
NAMED = LabelsNamed(labels="wind")


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2013, 2, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def labels(any_store: Store, clock: Hands) -> Labels:
    return Labels(any_store, EventLog(any_store, clock, new_id), clock, new_id)


@pytest.fixture
def fill(labels: Labels) -> Callable[..., None]:
    def fill(n: int, overlap: int = 2, **changes: object) -> None:
        labels.create_project(
            ADA, CreateLabelProject(name="wind", questions=[VERDICT, KNOTS], overlap=overlap, lease_s=60)
        )
        labels.add_tasks(ADA, AddTasks(labels="wind", tasks=[NewTask(source=f"k{i}", data={"i": i}) for i in range(n)]))

    return fill


def take(labels: Labels, who: Caller, count: int = 1) -> list[str]:
    return [leased.task.source for leased in labels.next(who, NextTasks(labels="wind", count=count))]


def say(labels: Labels, who: Caller, source: str, verdict: str, **more: float) -> Annotation:
    tasks = {task.source: task.id for task in labels.tasks(ADA, TaskPage(labels="wind")).items}
    return labels.annotate(who, Annotate(task=tasks[source], value={"verdict": verdict, **more}, seconds=3))


def statuses(labels: Labels) -> dict[str, str]:
    return {verdict.source: verdict.status for verdict in labels.verdicts(ADA, NAMED)}


def test_adding_tasks_again_adds_none_twice(labels, fill):
    fill(3)

    again = labels.add_tasks(
        ADA, AddTasks(labels="wind", tasks=[NewTask(source=f"k{i}", data={}) for i in range(2, 5)])
    )

    assert (again.added, again.known) == (2, 1)
    assert [task.source for task in labels.tasks(ADA, TaskPage(labels="wind")).items] == ["k0", "k1", "k2", "k3", "k4"]


def test_each_task_goes_to_as_many_annotators_as_overlap_says_and_to_none_twice(labels, fill):
    fill(2, overlap=2)

    for who in (ADA, BOB):
        for _ in range(2):
            [source] = take(labels, who)
            say(labels, who, source, "error")

    assert take(labels, ADA) == take(labels, EVE) == []
    assert set(statuses(labels).values()) == {"agreed"}


def test_asking_again_gives_the_task_that_is_held_and_loading_ahead_gives_more(labels, fill):
    fill(3, overlap=1)

    assert take(labels, ADA) == take(labels, ADA) == ["k0"]
    assert take(labels, ADA, count=2) == ["k0", "k1"]
    assert take(labels, BOB, count=5) == ["k2"]


def test_expired_lease_gives_the_task_to_another(labels, fill, clock):
    fill(1, overlap=1)
    assert take(labels, ADA) == ["k0"]
    assert take(labels, BOB) == []

    clock.forward(61)

    assert take(labels, BOB) == ["k0"]
    assert take(labels, ADA) == []


def test_answer_after_the_lease_has_expired_is_not_lost(labels, fill, clock):
    fill(1, overlap=1)
    take(labels, ADA)
    clock.forward(61)
    take(labels, BOB)

    say(labels, ADA, "k0", "real")
    say(labels, BOB, "k0", "real")

    assert statuses(labels) == {"k0": "agreed"}


def test_tasks_of_higher_priority_come_first(labels, fill):
    fill(1, overlap=1)
    labels.add_tasks(ADA, AddTasks(labels="wind", tasks=[NewTask(source="hot", data={}, priority=2)]))

    assert take(labels, ADA, count=2) == ["hot", "k0"]


def test_racing_annotators_never_hold_more_leases_than_overlap(labels, fill):
    fill(12, overlap=2)
    people = [Caller(project="p", actor=f"a{i}") for i in range(6)]

    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda who: take(labels, who, count=4), people))

    held = [source for sources in taken for source in sources]
    assert len(held) == 24
    assert all(held.count(f"k{i}") == 2 for i in range(12))


def test_correction_replaces_the_answer_and_history_keeps_both(labels, fill, clock):
    fill(1, overlap=2)
    first = say(labels, ADA, "k0", "error", knots=30)
    clock.forward(5)

    second = say(labels, ADA, "k0", "real")

    assert second.previous == first.id
    history = labels.history(ADA, TaskNamed(task=first.task))
    assert [(made.annotator, made.value, made.seconds) for made in history] == [
        ("ada", {"verdict": "error", "knots": 30.0}, 3.0),
        ("ada", {"verdict": "real"}, 3.0),
    ]
    assert labels.tasks(ADA, TaskPage(labels="wind")).items[0].answered == 1


def test_skip_takes_an_answer_back_and_opens_the_task_to_others(labels, fill):
    fill(1, overlap=1)
    made = say(labels, ADA, "k0", "error")
    assert statuses(labels) == {"k0": "single"}

    labels.skip(ADA, SkipTask(task=made.task, reason="cannot tell"))

    assert statuses(labels) == {"k0": "open"}
    assert take(labels, ADA) == []
    assert take(labels, BOB) == ["k0"]


def test_dispute_is_decided_by_review_and_no_longer_annotated(labels, fill):
    fill(2, overlap=2)
    for source, bob in (("k0", "real"), ("k1", "error")):
        say(labels, ADA, source, "error")
        say(labels, BOB, source, bob)
    [dispute] = labels.disputes(EVE, NAMED)
    assert dispute.task.source == "k0"
    assert dispute.answers == {"ada": {"verdict": "error"}, "bob": {"verdict": "real"}}

    labels.review(EVE, Annotate(task=dispute.task.id, value={"verdict": "real"}, note="gust confirmed"))

    assert statuses(labels) == {"k0": "reviewed", "k1": "agreed"}
    assert labels.disputes(EVE, NAMED) == []
    with pytest.raises(TaskReviewed):
        say(labels, ADA, "k0", "error")


def test_majority_decides_and_a_tie_does_not(labels, fill):
    fill(2, overlap=3)
    for who, k0, k1 in ((ADA, "error", "error"), (BOB, "error", "real"), (EVE, "real", "error")):
        say(labels, who, "k0", k0)
        say(labels, who, "k1", k1, knots=len(who.actor) + ord(who.actor[0]))

    assert statuses(labels) == {"k0": "majority", "k1": "disputed"}


def test_agreement_of_two_is_cohens_kappa(labels, fill):
    fill(4)
    for source, ada, bob in (("k0", "error", "error"), ("k1", "real", "real"), ("k2", "error", "real"), ("k3", "error", "error")):  # fmt: skip
        say(labels, ADA, source, ada)
        say(labels, BOB, source, bob)

    verdict, knots = labels.agreement(ADA, NAMED).questions

    assert (verdict.figure, verdict.tasks, verdict.equal) == ("cohen_kappa", 4, 0.75)
    assert verdict.value == pytest.approx(0.5)
    assert (knots.value, knots.tasks) == (None, 0)
    assert "No task" in knots.note


def test_agreement_of_three_with_gaps_is_krippendorffs_alpha(labels, fill):
    fill(3, overlap=2)
    for who, source, verdict in ((ADA, "k0", "error"), (BOB, "k0", "error"), (BOB, "k1", "real"), (EVE, "k1", "real"), (ADA, "k2", "real"), (EVE, "k2", "error")):  # fmt: skip
        say(labels, who, source, verdict)

    [verdict, _] = labels.agreement(ADA, NAMED).questions

    assert verdict.figure == "krippendorff_alpha"
    assert verdict.value == pytest.approx(1 - 5 * 2 / 18)
    assert verdict.annotators == ["ada", "bob", "eve"]


def test_summary_counts_without_reading_tasks(labels, fill):
    fill(3, overlap=1)
    say(labels, ADA, "k0", "error")

    [summary] = labels.list(ADA)

    assert (summary.tasks, summary.open, summary.closed, summary.reviewed, summary.annotations) == (3, 2, 1, 0, 1)


def test_pages_follow_each_other_without_gap(labels, fill):
    fill(5)

    first = labels.tasks(ADA, TaskPage(labels="wind", limit=3))
    second = labels.tasks(ADA, TaskPage(labels="wind", after=first.next or "", limit=3))

    assert [task.source for task in [*first.items, *second.items]] == ["k0", "k1", "k2", "k3", "k4"]
    assert second.next is None


@pytest.mark.parametrize(
    "value",
    [{}, {"verdict": "eror"}, {"verdict": "error", "kn": 3}, {"verdict": "error", "knots": 1048}, {"verdict": 1},
     {"verdict": "error", "knots": "many"}, {"verdict": "error", "knots": float("nan")}],
    ids=str,
)  # fmt: skip
def test_answer_that_does_not_fit_is_refused_and_leaves_nothing(labels, fill, value):
    fill(1)
    [leased] = labels.next(ADA, NextTasks(labels="wind"))

    with pytest.raises(InvalidAnswer):
        labels.annotate(ADA, Annotate(task=leased.task.id, value=value))

    assert labels.history(ADA, TaskNamed(task=leased.task.id)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"questions": []},
        {"questions": [VERDICT, VERDICT]},
        {"questions": [Question(name="x", kind="choice", choices=["only"])]},
        {"questions": [Question(name="x", kind="number", minimum=2, maximum=1)]},
        {"questions": [Question(name="status", kind="text")]},
        {"questions": [Question(name="x", kind="text", required=False)]},
        {"overlap": 0},
        {"lease_s": 0},
        {"name": "a/b"},
    ],
    ids=str,
)
def test_schema_that_contradicts_itself_is_refused(labels, changes):
    with pytest.raises(InvalidLabelSchema):
        labels.create_project(ADA, CreateLabelProject(**{"name": "wind", "questions": [VERDICT], **changes}))


def test_project_is_made_once_and_never_changes_its_questions(labels):
    labels.create_project(ADA, CreateLabelProject(name="wind", questions=[VERDICT]))

    assert labels.create_project(BOB, CreateLabelProject(name="wind", questions=[VERDICT])) == labels.get(ADA, NAMED)
    with pytest.raises(LabelProjectExists):
        labels.create_project(ADA, CreateLabelProject(name="wind", questions=[KNOTS, VERDICT]))


def test_unknown_names_are_named_with_a_hint(labels, fill):
    fill(1)

    with pytest.raises(LabelProjectNotFound) as refusal:
        labels.get(ADA, LabelsNamed(labels="wnid"))
    with pytest.raises(LabelTaskNotFound):
        labels.history(ADA, TaskNamed(task="task_0"))
    with pytest.raises(NotATask):
        labels.add_tasks(ADA, AddTasks(labels="wind"))

    assert "wind" in refusal.value.fix


def test_annotator_may_annotate_and_neither_review_nor_export(labels, fill):
    fill(1)
    guest = Caller(project="p", actor="guest", permissions=frozenset({"label.annotate"}))
    [leased] = labels.next(guest, NextTasks(labels="wind"))
    labels.annotate(guest, Annotate(task=leased.task.id, value={"verdict": "real"}))

    with pytest.raises(PermissionDenied):
        labels.review(guest, Annotate(task=leased.task.id, value={"verdict": "real"}))


def test_projects_do_not_see_each_other(labels, fill):
    fill(1)
    stranger = Caller(project="q", actor="ada")

    assert labels.list(stranger) == []
    [task] = labels.tasks(ADA, TaskPage(labels="wind")).items
    with pytest.raises(LabelTaskNotFound):
        labels.annotate(stranger, Annotate(task=task.id, value={"verdict": "real"}))
