"""`treadle endpoints`: what serves, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong, read_time

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
    limit: Annotated[
        list[str] | None, Option("a limit that holds from now on: timeout_ms=500; repeat it", metavar="NAME=VALUE")
    ] = None,
    features: Annotated[
        str | None,
        Option("the feature service that the server reads by key; '' for vectors in the requests", metavar="SERVICE"),
    ] = None,
    features_timeout_ms: Annotated[float | None, "how long a request may wait for its features (at first 250)"] = None,
    features_on_timeout: Annotated[
        Literal["refuse", "null"] | None, "what a request gets then: 503, or a prediction from nulls (at first refuse)"
    ] = None,
    reason: Reason = "",
) -> None:
    """Serves a model version. Servers follow within a second, and no request fails."""
    endpoint = session.client.endpoints.deploy(
        endpoint=name,
        model=model,
        version=version,
        share=share,
        threads=threads,
        limits=limits_of(limit or []),
        features=features,
        features_timeout_ms=features_timeout_ms,
        features_on_timeout=features_on_timeout,
        reason=reason,
    )
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def limits_of(pairs: list[str]) -> dict[str, float]:
    """Limits by name, of texts such as `timeout_ms=500`; whole numbers stay whole. Raises UsageWrong."""
    limits: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            limits[name] = int(value) if value.isdecimal() else float(value)
        except ValueError:
            raise UsageWrong(f"{pair!r} is no limit.", fix="Give one such as --limit timeout_ms=500") from None
    return limits


def split(
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
            f"{' '.join(weights)!r} are no shares.", fix="treadle endpoints split NAME 3=0.9 4=0.1"
        ) from error
    endpoint = session.client.endpoints.split(endpoint=name, weights=shares, reason=reason)
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def shadow(
    session: Session,
    name: Name,
    model: Annotated[str, "the model that looks on"],
    version: Annotated[str, "a number, an alias, or newest"] = "newest",
    *,
    share: Annotated[float, "of how many requests it gets a copy; 0 ends it"] = 1.0,
    threads: Annotated[int, "threads of one inference"] = 1,
    reason: Reason = "",
) -> None:
    """Gives a model version copies of the requests. It is logged and compared, and answers none."""
    endpoint = session.client.endpoints.shadow(
        endpoint=name, model=model, version=version, share=share, threads=threads, reason=reason
    )
    session.out.show(endpoint, lambda paper: paper.line(f"{name} serves {split_text(endpoint)}."))


def compare(
    session: Session,
    name: Name,
    *,
    since: Annotated[str | None, Option("answered at this time or later (default: a day ago)", metavar="TIME")] = None,
    until: Annotated[str | None, Option("answered before this time (default: now)", metavar="TIME")] = None,
    revision: Annotated[int | None, "this shadow (default: the newest)"] = None,
) -> None:
    """A shadow beside what was answered: how far apart, how many labels flip, how quick, how right."""
    end = read_time(until) or datetime.now(UTC)
    start = read_time(since) or end - timedelta(days=1)
    report = session.client.endpoints.compare(endpoint=name, since=start, until=end, revision=revision)

    def draw(paper: Paper) -> None:
        if not report.rows:
            paper.line(f"No shadow of {name} has scored anything in this time ({report.answered:,} predictions).")
            return
        paper.sheet(
            {
                "shadow": f"revision {report.revision}",
                "rows": f"{report.rows:,} of {report.answered:,} predictions",
                "failed": report.failed or None,
                "mean difference": f"{report.mean_difference:+.4g}",
                "labels that flip": None
                if report.flips is None
                else f"{report.flips:,} ({report.flips / report.rows:.2%})",
            }
        )
        paper.title("How far apart, and how long the model took")
        times = report.latency_us
        paper.table(
            ("quantile", "difference", "answered, us", "shadow, us"),
            [
                (at, f"{apart:.4g}", times["answered"].get(at), times["shadow"].get(at))
                for at, apart in report.difference.items()
            ],
        )
        if report.loss is not None:
            loss = report.loss
            paper.line(
                f"Squared error on {loss.n:,} labelled rows: {loss.shadow:.4f} against {loss.answered:.4f} "
                f"({loss.difference:+.4f}, standard error {loss.standard_error:.4f})."
            )

    session.out.show(report, draw)


def drain(
    session: Session,
    name: Name,
    *,
    revision: Annotated[int | None, "this revision alone; the others take its share"] = None,
    reason: Reason = "",
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Finishes what is in flight and takes nothing new: an endpoint, or one revision of it."""
    if revision is None:
        session.confirm(f"Drain {name}, so that it refuses new requests?", yes=yes)
    endpoint = session.client.endpoints.drain(endpoint=name, revision=revision, reason=reason)
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
    """`late-arrival 3 (90%), late-arrival 4 (10%), shadow late-arrival 5 (50%)`: what gets which part of the traffic."""
    by_number = {str(one.number): f"{one.model} {one.model_version}" for one in endpoint.revisions}
    route = endpoint.route
    parts = [f"{by_number.get(number, number)} ({share:.0%})" for number, share in route.weights.items() if share]
    parts += [f"shadow {by_number.get(number, number)} ({share:.0%})" for number, share in route.shadows.items()]
    served = ", ".join(parts) or "nothing"
    return f"nothing new (drained; {served})" if route.is_drained else served
