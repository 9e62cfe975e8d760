"""`treadle features`, the catalogue: what there is, who uses it, what is unused or behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session

if TYPE_CHECKING:
    from treadle.loops.catalogue import FeatureEntry

Owner = Annotated[str | None, "those of this owner alone"]


def search(session: Session, text: Annotated[str, "words that all have to occur"] = "", *, owner: Owner = None) -> None:
    """Features by name, view, description, owner or dataset, and who uses them."""
    _show(session, session.client.catalogue.search(text=text, owner=owner), "No feature fits.")


def unused(session: Session, *, owner: Owner = None) -> None:
    """Features that no service, training set or model takes."""
    _show(session, session.client.catalogue.search(only="unused", owner=owner), "Every feature is used.")


def stale(
    session: Session,
    *,
    older_than: Annotated[float | None, "also those whose values are older than so many seconds"] = None,
    owner: Owner = None,
) -> None:
    """Features that are online and lack what has landed since."""
    found = session.client.catalogue.search(only="stale", owner=owner, older_than_s=older_than)
    _show(session, found, "Everything that is online is up to date.")


def page(
    session: Session,
    view: Annotated[str, "the view"],
    *,
    html: Annotated[Path | None, "write it as an HTML file instead"] = None,
) -> None:
    """A view's page: its features with their use and what their newest values look like."""
    found = session.client.catalogue.page(view=view)
    if html is not None:
        html.write_text(found.html, encoding="utf-8")
    text = found.markdown.rstrip() if html is None else f"Written to {html}."
    session.out.show(found, lambda paper: paper.line(text))


def _show(session: Session, found: Sequence[FeatureEntry], empty: str) -> None:
    def draw(paper: Paper) -> None:
        rows = [
            (
                one.feature,
                one.view,
                one.owner,
                one.type or "",
                one.online_until,
                "behind" if one.is_behind else "",
                ", ".join([*one.services, *one.models, *one.endpoints]),
            )
            for one in found
        ]
        paper.table(("feature", "view", "owner", "type", "online as of", "", "used by"), rows, empty=empty)

    session.out.show(found, draw)
