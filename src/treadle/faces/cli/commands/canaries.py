"""`treadle canaries` and `treadle endpoints canary`: revisions that come into traffic by steps."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session

Name = Annotated[str, "the endpoint"]


def list_all(session: Session) -> None:
    """Every canary, the newest first."""
    canaries = session.client.canaries.list()

    def draw(paper: Paper) -> None:
        paper.table(
            ("endpoint", "model", "state", "share", "began", "because"),
            [(one.endpoint, _model(one), one.state, _share(one), one.started_at, one.reason) for one in canaries],
            empty="No canaries yet: treadle endpoints canary ENDPOINT MODEL",
        )

    session.out.show(canaries, draw)


def show(session: Session, name: Name) -> None:
    """The canary of an endpoint that is under way, or its last one, with what is seen of it."""
    sheet = session.client.canaries.get(endpoint=name)
    session.out.show(sheet, lambda paper: _draw(paper, sheet))


def start(
    session: Session,
    name: Name,
    model: Annotated[str, "the model that comes into traffic"],
    version: Annotated[str, "a number, an alias, or newest"] = "newest",
    *,
    step: Annotated[list[float] | None, "a share that it gets on its way, once for each (0.05 0.25 0.5)"] = None,
    min_calls: Annotated[int, "calls that it answers at each step"] = 100,
    step_s: Annotated[float, "seconds that each step takes at least"] = 600.0,
    max_s: Annotated[float, "seconds after which it goes back without a decision"] = 7 * 86_400.0,
    false_alarm: Annotated[float, "the probability of going back although nothing is worse"] = 0.01,
    slow_ms: Annotated[float | None, "a call that takes longer is slow (default: by what was usual)"] = None,
    min_labelled: Annotated[int, "labelled calls whose loss must be within its tolerance as well"] = 0,
    promote: Annotated[str | None, "the alias that the version gets when it has come through"] = None,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Brings a version into traffic by steps. It goes on, or back, by itself while `treadle up` works."""
    policy: dict[str, Any] = {
        "min_calls": min_calls,
        "step_s": step_s,
        "max_s": max_s,
        "false_alarm": false_alarm,
        "slow_ms": slow_ms,
        "min_labelled": min_labelled,
    }
    if step:
        policy["steps"] = step
    canary = session.client.canaries.start(
        endpoint=name, model=model, version=version, policy=policy, promote=promote, reason=reason
    )
    session.out.show(
        canary, lambda paper: paper.line(f"{_model(canary)} is the canary of {name}, with {canary.share:.0%} of it.")
    )


def look(session: Session, name: Name) -> None:
    """Takes a look now, and the step that it leads to; `treadle up` does so every two seconds."""
    canary = session.client.canaries.look(endpoint=name)
    session.out.show(canary, lambda paper: paper.line(f"{canary.state}, {_share(canary)}: {canary.reason}"))


def stop(
    session: Session,
    name: Name,
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Ends a canary; what served before serves again."""
    session.confirm(f"Roll back the canary of {name}?", yes=yes)
    canary = session.client.canaries.stop(endpoint=name, reason=reason)
    session.out.show(canary, lambda paper: paper.line(f"{_model(canary)}: {canary.state}. {canary.reason}"))


def _draw(paper: Paper, sheet: Any) -> None:
    canary = sheet.canary
    paper.sheet(
        {
            "endpoint": canary.endpoint,
            "canary": f"{_model(canary)}, revision {canary.revision}",
            "state": canary.state,
            "share": _share(canary),
            "steps": ", ".join(f"{share:.0%}" for share in canary.policy.steps),
            "calls at this step": f"{sheet.calls_at_step:,} of {canary.policy.min_calls:,}",
            "because": canary.reason,
            "began": canary.started_at,
            "ended": canary.ended_at,
            "evidence": canary.evidence,
        }
    )
    paper.title("Beside what served before")
    paper.table(
        ("signal", "canary", "baseline", "difference", "at least", "at most", "allowed", "calls", "standing"),
        [
            (
                one.name,
                f"{one.canary:.4f}",
                f"{one.baseline:.4f}",
                f"{one.difference:+.4f}",
                f"{one.lower:+.4f}",
                f"{one.upper:+.4f}",
                f"{one.tolerance:+.4g}",
                f"{one.canary_calls:,} / {one.baseline_calls:,}",
                one.standing,
            )
            for one in sheet.signals
        ],
    )


def _model(canary: Any) -> str:
    return f"{canary.model} {canary.model_version}"


def _share(canary: Any) -> str:
    return f"{canary.policy.steps[canary.step]:.0%}"
