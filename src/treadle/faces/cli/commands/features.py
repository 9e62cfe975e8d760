"""`treadle features`: registered views and services."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.output import encoded
from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session


def list_all(session: Session) -> None:
    """Every registered feature view and feature service."""
    definitions = session.client.features.list()

    def draw(paper: Paper) -> None:
        rows = [(one.name, one.kind, short_digest(one.digest), one.updated_at) for one in definitions]
        paper.table(("name", "kind", "digest", "since"), rows, empty="No feature views yet.")

    session.out.show(definitions, draw)


def show(session: Session, name: Annotated[str, "the view or service"]) -> None:
    """One definition as it was registered."""
    found = session.client.features.get(name=name)
    session.out.show(found, lambda paper: paper.line(encoded(found)))
