"""`treadle models`: registered versions, the aliases that stand on them, and what was found about them."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell, short_digest
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
                "made by": found.run,
                "registered in": found.root,
                "registered by": found.actor,
                "registered": found.recorded_at,
                "description": found.description or None,
                "card": f"treadle models card {found.model} {found.number}" if found.card else None,
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


def versions(session: Session, model: Model) -> None:
    """Every version, the newest first."""
    found = session.client.models.versions(model=model)

    def draw(paper: Paper) -> None:
        rows = [(one.number, short_digest(one.digest), one.recorded_at, one.actor, cell(one.metrics)) for one in found]
        paper.table(("version", "digest", "registered", "by", "metrics"), rows)

    session.out.show(found, draw)


def history(session: Session, model: Model) -> None:
    """Every move of every alias: which version was in production on a given day, and why."""
    moves = session.client.models.history(model=model)

    def draw(paper: Paper) -> None:
        rows = [(one.recorded_at, one.alias, one.previous, one.version, one.actor, one.reason) for one in moves]
        paper.table(("at", "alias", "from", "to", "by", "reason"), rows, empty="No alias has moved yet.")

    session.out.show(moves, draw)


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


def aliases_text(aliases: dict[str, int]) -> str:
    """`champion=3, challenger=4`, or a dash."""
    return ", ".join(f"{alias}={version}" for alias, version in sorted(aliases.items())) or "–"
