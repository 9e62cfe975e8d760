"""The rows of webhooks, each with its sealed secret."""

from __future__ import annotations

import msgspec

from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.webhooks.records import Webhook

sql = Statements(__package__)


class WebhookRows:
    """Finds and records webhooks, each with its sealed secret."""

    def find(self, reader: Reader, project: str, id: str) -> tuple[Webhook, bytes | None] | None:
        """The webhook and its secret, or None."""
        row = reader.find(sql.find_webhook, {"project": project, "id": id})
        return None if row is None else _webhook(row)

    def all(self, reader: Reader, project: str) -> list[Webhook]:
        """Every webhook, the newest first."""
        return [_webhook(row)[0] for row in reader.all(sql.webhooks, {"project": project})]

    def listening(self, reader: Reader, project: str, event: str) -> list[str]:
        """The ids of the active webhooks that asked for an event."""
        rows = reader.all(sql.active_webhooks, {"project": project})
        return [id for id, events in rows if event in msgspec.json.decode(events)]

    def add(self, tx: Transaction, webhook: Webhook, secret: bytes | None) -> None:
        """Records a webhook."""
        tx.execute(sql.insert_webhook, {**_values(webhook), "secret": secret, "created_ms": webhook.created_ms})

    def update(self, tx: Transaction, webhook: Webhook, secret: bytes | None) -> None:
        """Writes everything but the id and the time of making."""
        tx.execute(sql.update_webhook, {**_values(webhook), "secret": secret})

    def delete(self, tx: Transaction, project: str, id: str) -> bool:
        """Takes a webhook away with its secret; False when there was none."""
        return tx.execute(sql.delete_webhook, {"project": project, "id": id}) == 1


def _values(webhook: Webhook) -> dict[str, object]:
    return {
        "project": webhook.project,
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "description": webhook.description,
        "status": webhook.status,
        "events": msgspec.json.encode(list(webhook.events)).decode(),
        "updated_ms": webhook.updated_ms,
    }


def _webhook(row: Row) -> tuple[Webhook, bytes | None]:
    project, id, name, url, description, status, events, secret, created_ms, updated_ms = row
    found = Webhook(
        project=project,
        id=id,
        name=name,
        url=url,
        description=description,
        status=status,
        events=msgspec.json.decode(events),
        has_secret=secret is not None,
        created_ms=created_ms,
        updated_ms=updated_ms,
    )
    return found, None if secret is None else bytes(secret)
