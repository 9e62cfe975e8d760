"""`treadle webhooks`: who is told of changes in the registry."""

from __future__ import annotations

import os
from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option

Webhook = Annotated[str, "the webhook's id"]
_SECRET = "TREADLE_WEBHOOK_SECRET"  # noqa: S105 -- the variable's name


def list_all(session: Session) -> None:
    """Every webhook of the project, the newest first. Secrets are never shown."""
    found = session.client.webhooks.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.name, one.url, cell(one.events), one.status, "yes" if one.has_secret else "no", one.id)
            for one in found
        ]
        paper.table(("name", "url", "events", "status", "signed", "id"), rows, empty="No webhooks yet.")

    session.out.show(found, draw)


def create(
    session: Session,
    name: Annotated[str, "what it is called"],
    url: Annotated[str, "where messages are sent"],
    events: Annotated[list[str], Option("such as model_version.created", metavar="EVENT")],
    *,
    description: Annotated[str | None, "what it is for"] = None,
) -> None:
    """Tells a URL of some events. With a secret in TREADLE_WEBHOOK_SECRET every message is signed."""
    secret = os.environ.get(_SECRET)
    made = session.client.webhooks.create(name=name, url=url, events=events, description=description, secret=secret)
    session.out.show(made, lambda paper: paper.line(f"{made.url} is told of {cell(made.events)}: {made.id}"))


def try_out(
    session: Session, webhook: Webhook, *, event: Annotated[str | None, "another event than its first"] = None
) -> int:
    """Sends an example now and says what the receiver answered. Exit code 1 when it did not take it."""
    trial = session.client.webhooks.test(webhook=webhook, event=event)
    said = trial.problem or f"It answered {trial.status}."
    session.out.show(trial, lambda paper: paper.line(said))
    return int(not trial.success)


def delete(session: Session, webhook: Webhook, *, yes: Annotated[bool, "do not ask"] = False) -> None:
    """Takes a webhook away; what is still on its way is not delivered."""
    session.confirm(f"Delete the webhook {webhook}?", yes=yes)
    session.client.webhooks.delete(webhook=webhook)
    session.out.show({"webhook": webhook}, lambda paper: paper.line("It is deleted."))
