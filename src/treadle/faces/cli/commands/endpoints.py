"""`treadle endpoints`: what serves, and since when."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Name = Annotated[str, "the endpoint"]
Reason = Annotated[str, "why, for those who come later"]


def list_all(session: Session) -> None:
    """Every endpoint with the revisions that it serves now."""
    endpoints = session.client.endpoints.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.name, one.route.number, split_text(one), one.route.actor, one.route.recorded_at) for one in endpoints
        ]
        paper.table(
            ("endpoint", "route", "serves", "by", "since"),
            rows,
            empty="No endpoints yet: treadle endpoints deploy NAME MODEL",
        )

    session.out.show(endpoints, draw)


def show(session: Session, name: Name) -> None:
    """An endpoint with all its revisions and routes."""
    sheet = session.client.endpoints.get(endpoint=name)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "endpoint": sheet.endpoint.name,
                "serves": split_text(sheet.endpoint),
                "since": sheet.endpoint.route.recorded_at,
            }
        )
        paper.title("Revisions")
        paper.table(
            ("revision", "model", "version", "engine", "digest", "deployed"),
            [
                (one.number, one.model, one.model_version, one.engine, short_digest(one.model_digest), one.recorded_at)
                for one in sheet.revisions
            ],
        )
        paper.title("Routes")
        paper.table(
            ("route", "kind", "weights", "by", "at", "reason"),
            [
                (one.number, one.kind, one.weights, one.actor, one.recorded_at, one.reason)
                for one in reversed(sheet.routes)
            ],
        )

    session.out.show(sheet, draw)


def deploy(
    session: Session,
    name: Name,
    model: Annotated[str, "the model that it serves"],
    version: Annotated[str, "a number, an alias, or newest"] = "champion",
    *,
    share: Annotated[float, "how much of the traffic it gets, above 0 and at most 1"] = 1.0,
    threads: Annotated[int, "threads of one inference; 1 makes answers repeatable"] = 1,
    reason: Reason = "",
) -> None:
    """Serves a model version. Servers follow within a second, and no request fails."""
    endpoint = session.client.endpoints.deploy(
        endpoint=name, model=model, version=version, share=share, threads=threads, reason=reason
    )
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def route(
    session: Session,
    name: Name,
    weights: Annotated[list[str], Option("shares by revision, together 1: 3=0.9 4=0.1", metavar="REVISION=SHARE")],
    *,
    reason: Reason = "",
) -> None:
    """Splits the traffic among revisions that are there."""
    pairs = [pair.partition("=") for pair in weights]
    try:
        shares = {revision: float(share) for revision, _, share in pairs}
    except ValueError as error:
        raise UsageWrong(
            f"{' '.join(weights)!r} are no shares.", fix="treadle endpoints route NAME 3=0.9 4=0.1"
        ) from error
    endpoint = session.client.endpoints.route(endpoint=name, weights=shares, reason=reason)
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def rollback(
    session: Session,
    name: Name,
    *,
    to: Annotated[int | None, "the route to go back to (default: the one before)"] = None,
    reason: Reason = "",
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Goes back to an earlier route. Servers follow within a second."""
    session.confirm(f"Roll {name} back to {'the route before' if to is None else f'route {to}'}?", yes=yes)
    endpoint = session.client.endpoints.rollback(endpoint=name, to=to, reason=reason)
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def split_text(endpoint: Any) -> str:
    """`late-arrival 3 (90 %), late-arrival 4 (10 %)`: what gets which part of the traffic."""
    by_number = {str(one.number): f"{one.model} {one.model_version}" for one in endpoint.revisions}
    weights = endpoint.route.weights
    return (
        ", ".join(f"{by_number.get(number, number)} ({share:.0%})" for number, share in weights.items() if share)
        or "nothing"
    )
