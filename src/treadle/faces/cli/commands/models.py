"""`treadle models`: registered versions, the aliases that stand on them, and what was found about them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from treadle.faces.cli.rendering import Paper, bytes_text, cell, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong

Model = Annotated[str, "the model"]


def list_all(session: Session) -> None:
    """Every model, and the versions that its aliases stand on."""
    models = session.client.models.list()

    def draw(paper: Paper) -> None:
        rows = [(one.name, one.versions, one.newest, aliases_text(one.aliases), one.recorded_at) for one in models]
        paper.table(("model", "versions", "newest", "aliases", "since"), rows, empty="No models yet.")

    session.out.show(models, draw)


def show(session: Session, model: Model, version: Annotated[str, "a number, an alias, or newest"] = "newest") -> None:
    """One version with its metrics, its data, its aliases and all evidence about it."""
    sheet = session.client.models.get(model=model, version=version)

    def draw(paper: Paper) -> None:
        found = sheet.version
        paper.sheet(
            {
                "model": found.model,
                "version": found.number,
                "aliases": cell(sheet.aliases) or "none",
                "digest": found.digest,
                "metrics": cell(found.metrics),
                "data": cell(found.data),
                "made by": found.run or found.run_id,
                "registered in": found.root,
                "registered by": found.actor,
                "registered": found.recorded_at,
                "description": found.description or None,
                "stage": None if found.stage == "None" else found.stage,
                "labels": cell(sheet.tags) if sheet.tags else None,
                "source": found.source,
                "size": None if found.size_bytes is None else bytes_text(found.size_bytes),
                "card": f"treadle models card {found.model} {found.number}",
            }
        )
        if sheet.evidence:
            paper.title("Evidence")
            paper.table(
                ("found", "verdict", "by", "at", "run"),
                [(one.kind, one.verdict, one.actor, one.recorded_at, one.run) for one in sheet.evidence],
            )

    session.out.show(sheet, draw)


def card(session: Session, model: Model, version: Annotated[str, "a number, an alias, or newest"] = "newest") -> None:
    """The model card as Markdown: what it is for, what it was made of, how it does, what has been found about it."""
    found = session.client.models.card(model=model, version=version)
    session.out.show(found, lambda paper: paper.line(found.markdown.rstrip()))


def engines(
    session: Session, model: Model, version: Annotated[str, "a number, an alias, or newest"] = "newest"
) -> None:
    """The forms in which a version could be served: difference from the original, time of a call, and which one serves."""
    found = session.client.engines.get(model=model, version=version)

    def draw(paper: Paper) -> None:
        if found.choice is None:
            paper.line(f"{found.model} version {found.version} is served as it was registered; nothing was compared.")
            return
        rows = [
            (
                one.name,
                one.engine,
                one.verdict,
                "" if one.largest_difference is None else f"{one.largest_difference:.3g}",
                one.label_flips,
                *(_microseconds(one.call_us.get(size)) for size in _CALL_SIZES),
                None if one.size_bytes is None else bytes_text(one.size_bytes),
            )
            for one in found.choice.comparisons
        ]
        sizes = [f"{size} row{'s' if size != '1' else ''}" for size in _CALL_SIZES]
        paper.table(("form", "engine", "", "difference", "flips", *sizes, "size"), rows)
        compared = max((one.rows for one in found.choice.comparisons), default=0)
        paper.line(f"Compared on {compared:,} rows; a difference of {found.choice.tolerance:g} is allowed.", "dim")
        for one in found.choice.comparisons:
            if one.reason:
                paper.line(f"{one.name}: {one.reason}", "dim")

    session.out.show(found, draw)


_CALL_SIZES = ("1", "8", "32", "128")


def _microseconds(taken: float | None) -> str:
    return "" if taken is None else f"{taken:,.0f} us" if taken >= 100 else f"{taken:.1f} us"


def versions(session: Session, model: Model) -> None:
    """Every version, the newest first."""
    found = session.client.models.versions(model=model)

    def draw(paper: Paper) -> None:
        rows = [(one.number, short_digest(one.digest), one.recorded_at, one.actor, cell(one.metrics)) for one in found]
        paper.table(("version", "digest", "registered", "by", "metrics"), rows)

    session.out.show(found, draw)


def history(
    session: Session,
    model: Model,
    *,
    on: Annotated[str | None, "a day (2026-11-21), or a moment with its zone: what stood when it was over"] = None,
) -> None:
    """Every move of every alias and stage: which version was in production on a given day, and why."""
    told = session.client.models.history(model=model, at=None if on is None else _end_of(on))

    def draw(paper: Paper) -> None:
        if on is not None:
            paper.title(f"At {told.at.isoformat(timespec='seconds')}")
            standing = sorted(told.aliases.items())
            standing += [(stage, cell(versions)) for stage, versions in sorted(told.stages.items())]
            paper.table(("name or stage", "version"), standing, empty="Nothing stood anywhere.")
        rows = [
            (one.recorded_at, one.name, one.previous or one.left, one.version, one.actor, one.reason)
            for one in told.moves
        ]
        paper.table(("at", "to", "from", "version", "by", "reason"), rows, empty="Nothing has moved yet.")

    session.out.show(told, draw)


def _end_of(day: str) -> datetime:
    """The last moment of a day in UTC, or the moment that is given. Raises UsageWrong."""
    try:
        if len(day) == len("2026-11-21"):
            return datetime.combine(date.fromisoformat(day), time.max, UTC)
        moment = datetime.fromisoformat(day)
    except ValueError:
        raise UsageWrong(f"{day!r} is no day.", fix="--on 2026-11-21") from None
    if moment.tzinfo is None:
        raise UsageWrong(f"{day!r} has no zone.", fix=f"--on {day}+00:00")
    return moment


def promote(
    session: Session,
    model: Model,
    version: Annotated[int, "the version's number"],
    *,
    alias: Annotated[str, "the alias that moves onto it"] = "champion",
    reason: Annotated[str, "why, for those who come later"] = "",
    expected: Annotated[int | None, "refuse when the alias is not on this version now"] = None,
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Moves an alias onto a version, once, with who, when and why."""
    if not alias:
        raise UsageWrong("An alias has a name.", fix="--alias champion")
    session.confirm(f"Move {model}@{alias} onto version {version}?", yes=yes)
    promoted = session.client.models.promote(
        model=model, version=version, alias=alias, reason=reason, expected=expected
    )
    session.out.show(promoted, lambda paper: paper.line(f"{model}@{alias} is version {promoted.number}."))


def rename(
    session: Session,
    model: Model,
    new_name: Annotated[str, "the name that it has from now on"],
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Gives a model another name; versions, aliases and evidence stay with it."""
    sheet = session.client.models.rename(model=model, new_name=new_name, reason=reason)
    session.out.show(sheet, lambda paper: paper.line(f"{model} is called {sheet.model.name}."))


def delete(
    session: Session,
    model: Model,
    version: Annotated[int | None, "one version; without it the model with all its versions"] = None,
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Takes a model or one of its versions away, with the aliases that stand there. What happened stays in the log."""
    what = f"the model {model} with all its versions" if version is None else f"version {version} of {model}"
    session.confirm(f"Delete {what}?", yes=yes)
    if version is None:
        session.client.models.delete(model=model, reason=reason)
    else:
        session.client.versions.delete(model=model, version=version, reason=reason)
    answer = {"model": model, "version": version}
    session.out.show(answer, lambda paper: paper.line(f"{what[:1].upper()}{what[1:]} is deleted."))


def aliases_text(aliases: dict[str, int]) -> str:
    """`champion=3, challenger=4`, or a dash."""
    return ", ".join(f"{alias}={version}" for alias, version in sorted(aliases.items())) or "–"
