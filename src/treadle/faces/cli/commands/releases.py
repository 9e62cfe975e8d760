"""`treadle releases`: versions on their way through gates, shadow and canary to an alias."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session


def list_all(session: Session) -> None:
    """Every release, the newest first."""
    releases = session.client.releases.list()

    def draw(paper: Paper) -> None:
        paper.table(
            ("release", "endpoint", "model", "stage", "since", "because"),
            [
                (one.id, one.endpoint, f"{one.model} {one.model_version}", one.stage, one.stage_at, one.reason)
                for one in releases
            ],
            empty="No releases yet: treadle releases begin ENDPOINT MODEL",
        )

    session.out.show(releases, draw)


def show(session: Session, release: Annotated[str, "its id"]) -> None:
    """One release with each of its decisions and the evidence for it."""
    sheet = session.client.releases.get(release=release)
    row = sheet.release

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "release": row.id,
                "endpoint": row.endpoint,
                "model": f"{row.model} {row.model_version}",
                "alias": row.alias,
                "stage": row.stage,
                "because": row.reason,
            }
        )
        paper.line()
        paper.table(
            ("stage", "verdict", "because", "evidence"),
            [(one["stage"], one["verdict"], one["reason"], one["evidence"]) for one in sheet.decisions],
            empty="Nothing is decided yet.",
        )

    session.out.show(sheet, draw)


def begin(
    session: Session,
    name: Annotated[str, "the endpoint"],
    model: Annotated[str, "the model"],
    version: Annotated[str, "a number, an alias, or newest"] = "newest",
    *,
    alias: Annotated[str, "what it gets when it has come through"] = "champion",
    need: Annotated[list[str] | None, "evidence that it must have passed: gate, verify; repeat it (gate)"] = None,
    no_shadow: Annotated[bool, "leave the shadow out"] = False,
    no_canary: Annotated[bool, "leave the canary out"] = False,
    shadow_rows: Annotated[int, "rows that it scores as a shadow"] = 500,
    shadow_s: Annotated[float, "seconds that it is a shadow at least"] = 600.0,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Brings a version through gates, shadow and canary to its alias. It goes on by itself while `treadle up` works."""
    policy: dict[str, Any] = {"shadow": {"min_rows": shadow_rows, "min_s": shadow_s}}
    if need:
        policy["needs"] = need
    if no_shadow:
        policy["shadow"] = None
    if no_canary:
        policy["canary"] = None
    row = session.client.releases.begin(
        endpoint=name, model=model, version=version, alias=alias, policy=policy, reason=reason
    )
    session.out.show(row, lambda paper: paper.line(f"{model} {row.model_version} is on its way ({row.id})."))
