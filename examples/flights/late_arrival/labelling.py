"""Two people look at the rows that a contract has refused, and a third decides where they differ.

The rows become tasks of a labelling project, with the queue and the leases that people at a terminal would have
(`treadle labels next quarantine`). Here the people are `labelling/answers.csv`: what they said about each record, and
why. What they decide is exported as a dataset, and carried out by the pipeline `settle`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import polars as pl

import treadle as td
from treadle.systems.labels import (
    AddTasks,
    Annotate,
    CreateLabelProject,
    ExportLabels,
    Labels,
    LabelsNamed,
    NextTasks,
    Question,
    SkipTask,
)

PROJECT = "quarantine"
VERDICTS = "verdicts"
"""The dataset in which the decisions land."""
ANNOTATORS, REVIEWER = ("ada", "ben"), "carol"
ANSWERS = Path(__file__).parents[1] / "labelling" / "answers.csv"

PLAUSIBLE, WRONG, CANNOT_TELL = "plausible", "wrong", "cannot tell"
QUESTION = Question(
    name="verdict", kind="choice", title="Is the record plausible?", choices=[PLAUSIBLE, WRONG, CANNOT_TELL]
)
INSTRUCTIONS = """\
Does the rest of the record agree with the value that looks odd? Departure, arrival and air time tell one story.
Say "wrong" when a value cannot be or contradicts the others, "cannot tell" when nothing in the record decides it, and
always say why."""

SHOWN = {
    "flights": [
        "flight_id", "dest", "tailnum", "distance", "sched_dep_time", "dep_time", "dep_delay", "sched_arr_time",
        "arr_time", "arr_delay", "air_time", "_rules",
    ],
    "weather": [
        "origin", "observed_at", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure",
        "visib", "_rules",
    ],
}  # fmt: skip
"""What the annotators see of a row."""

EMPTIED = {"ground_speed_possible": ["air_time"], "wind_speed_possible": ["wind_speed", "wind_gust"]}
"""The readings that the contracts say to empty where a rule's row is judged wrong; of other rules the row is given up."""


class Said(NamedTuple):
    """What somebody answered about a record."""

    verdict: str
    note: str


@cache
def answers() -> dict[tuple[str, str], Said]:
    """(annotator, record) -> what they said."""
    with ANSWERS.open(encoding="utf-8", newline="") as file:
        return {(row["annotator"], row["record"]): Said(row["verdict"], row["note"]) for row in csv.DictReader(file)}


def record_of(shown: Mapping[str, Any]) -> str:
    """How the answers name a record: a flight by its id, an observation by station and hour."""
    return str(shown.get("flight_id") or f"{shown['origin']}/{shown['observed_at']}")


def judge(workspace: td.Workspace, dataset: str) -> str | None:
    """Has the refused rows of a dataset judged; answers the snapshot of all decisions, or None when none is to be settled."""
    held = td.quarantine(dataset).held()
    if not held:
        return None
    labels, owner = workspace.labels, workspace.caller
    labels.create_project(
        owner,
        CreateLabelProject(name=PROJECT, questions=[QUESTION], instructions=INSTRUCTIONS, overlap=len(ANNOTATORS)),
    )
    labels.add_tasks(owner, AddTasks(labels=PROJECT, dataset=f"{dataset}.quarantine", columns=SHOWN[dataset]))
    for annotator in ANNOTATORS:
        annotate(labels, replace(owner, actor=annotator))
    review(labels, replace(owner, actor=REVIEWER))
    exported = labels.export(owner, ExportLabels(labels=PROJECT, dataset=VERDICTS)).snapshot
    decided = {
        one.source
        for one in labels.verdicts(owner, LabelsNamed(labels=PROJECT))
        if one.value is not None and one.value["verdict"] != CANNOT_TELL
    }
    return exported if decided.intersection(held) else None


def annotate(labels: Labels, annotator: Any) -> None:
    """Takes tasks from the queue until none is left for this annotator, and answers or skips each."""
    while leased := labels.next(annotator, NextTasks(labels=PROJECT, count=100)):
        for task in (one.task for one in leased):
            said = answers().get((annotator.actor, record_of(task.data)))
            if said is None:
                labels.skip(annotator, SkipTask(task=task.id, reason="not looked at"))
            else:
                labels.annotate(annotator, Annotate(task=task.id, value={"verdict": said.verdict}, note=said.note))


def review(labels: Labels, reviewer: Any) -> None:
    """Decides what the annotators dispute, as far as the reviewer has an answer."""
    for dispute in labels.disputes(reviewer, LabelsNamed(labels=PROJECT)):
        said = answers().get((reviewer.actor, record_of(dispute.task.data)))
        if said is not None:
            labels.review(reviewer, Annotate(task=dispute.task.id, value={"verdict": said.verdict}, note=said.note))


class Settlement(TypedDict):
    """What is to be done with held rows, by row id."""

    waived: dict[str, list[str]]
    """Plausible: back as they are, although these rules hold them."""
    mended: dict[str, dict[str, None]]
    """Wrong in a reading: back with the reading emptied."""
    discarded: dict[str, str]
    """Wrong as a whole: given up, with the reason."""


@td.step
def settlement(verdicts: pl.DataFrame, held: dict[str, list[str]]) -> Settlement:
    """What follows from the newest verdict about each held row; rows without one, or "cannot tell", stay held."""
    newest = verdicts.sort("known_at").unique("source", keep="last", maintain_order=True)
    plan = Settlement(waived={}, mended={}, discarded={})
    for said in newest.filter(pl.col("source").is_in(list(held))).sort("source").iter_rows(named=True):
        row, rules = said["source"], held[said["source"]]
        if said["verdict"] == PLAUSIBLE:
            plan["waived"][row] = rules
        elif said["verdict"] == WRONG and all(rule in EMPTIED for rule in rules):
            plan["mended"][row] = {column: None for rule in rules for column in EMPTIED[rule]}
        elif said["verdict"] == WRONG:
            plan["discarded"][row] = f"judged wrong by {' and '.join(said['annotators'])}: {said['note']}"
    return plan
