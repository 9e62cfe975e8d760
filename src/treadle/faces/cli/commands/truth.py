"""`treadle truth`: what turned out, given by hand or joined from a dataset, and how much of it there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong, read_time

Name = Annotated[str, "the endpoint"]


def connect(
    session: Session,
    name: Name,
    dataset: Annotated[str, "where labels land"],
    *,
    entity: Annotated[str, "its column with what was predicted, as the requests named it"] = "entity",
    value: Annotated[str, "its column with the outcome"] = "value",
    known_at: Annotated[str, "its column that says when the outcome was known"] = "known_at",
    by: Annotated[str, "entity, or prediction: what the first column holds"] = "entity",
    holds: Annotated[str, "which of several answers holds: first, last, priority or refuse"] = "last",
    source: Annotated[str | None, "its column with who says so"] = None,
    priority: Annotated[list[str] | None, "a source, the best one first; repeat it"] = None,
) -> None:
    """Says where the truth about an endpoint's predictions comes from, and which of several answers holds."""
    rule = session.client.feedback.connect(
        endpoint=name,
        dataset=dataset,
        entity=entity,
        value=value,
        known_at=known_at,
        by=by,
        holds=holds,
        said_by=source,
        priority=priority or [],
    )
    session.out.show(rule, lambda paper: paper.line(f"The truth about {name} comes from {dataset} ({rule.holds})."))


def give(
    session: Session,
    name: Name,
    about: Annotated[str, "the entity that was predicted, or the prediction's id"],
    value: Annotated[str, "0, 1 or a number; none where there is no outcome and never will be"],
    *,
    source: Annotated[str | None, "who says so"] = None,
    key: Annotated[str | None, "names this label for good: given again, it lands once"] = None,
) -> None:
    """Gives one label; many land as rows of the endpoint's dataset."""
    label = {"about": about, "value": _outcome(value), "source": source}
    given = session.client.feedback.give(endpoint=name, labels=[label], key=key)
    session.out.show(given, lambda paper: paper.line(f"{about} is {value} (landed in {given.dataset})."))


def coverage(
    session: Session,
    name: Name,
    *,
    days: Annotated[float, "so many days back from now"] = 28.0,
    cohort_days: Annotated[float, "the days of one line, by when predictions were made"] = 7.0,
    until: Annotated[str | None, "the end of the window (now)"] = None,
    known_by: Annotated[str | None, "as it was known at that time"] = None,
) -> None:
    """How much of what was predicted has its truth by now, by when it was predicted; and what became of the labels."""
    end, known = read_time(until) or datetime.now(UTC), read_time(known_by)
    found = session.client.feedback.coverage(
        endpoint=name,
        starts_at=end - timedelta(days=days),
        ends_at=end,
        known_by=known,
        cohort_s=cohort_days * 86_400,
    )
    counts = session.client.feedback.counts(endpoint=name, known_by=known)

    def draw(paper: Paper) -> None:
        paper.table(
            ("predicted from", "until", "predictions", "known", "without", "covered", "median delay"),
            [
                (
                    one.starts_at,
                    one.ends_at,
                    f"{one.predictions:,}",
                    f"{one.known:,}",
                    f"{one.without:,}",
                    f"{(one.known + one.without) / one.predictions:.1%}" if one.predictions else "–",
                    "–" if one.median_delay_s is None else f"{one.median_delay_s:,.0f} s",
                )
                for one in found.cohorts
            ],
        )
        paper.line(
            f"{counts.given:,} labels: {counts.joined:,} joined, {counts.duplicates:,} duplicates, "
            f"{counts.contradictory:,} contradictory, {counts.unknown:,} without a prediction."
        )

    session.out.show({"coverage": found, "labels": counts}, draw)


def show(session: Session, name: Name, about: Annotated[str, "an entity, or a prediction's id"]) -> None:
    """What was held to be true about one thing, and since when."""
    lines = session.client.feedback.history(endpoint=name, about=about)

    def draw(paper: Paper) -> None:
        paper.table(
            ("since", "truth"),
            [
                (
                    one.since,
                    "contradictory" if not one.is_settled else "none" if one.value is None else f"{one.value:g}",
                )
                for one in lines
            ],
            empty=f"Nobody has said anything about {about}.",
        )

    session.out.show(lines, draw)


def _outcome(text: str) -> float | None:
    """The value of a label. Raises UsageWrong."""
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageWrong(f"{text!r} is no outcome.", fix="Give 0, 1, a number, or none.") from None
