"""Webhooks over MLflow's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.mlflow.registry_house import Client
from tests.systems.train.webhooks.receiver import Receiver, receiver
from treadle.assembly import Workspace
from treadle.ground.settings import load

OPEN = {"TREADLE_ALLOW_PRIVATE_WEBHOOKS": "true", "TREADLE_ALLOW_HTTP_WEBHOOKS": "true"}
CREATED = [{"entity": "MODEL_VERSION", "action": "CREATED"}]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Workspace(load({"home": tmp_path / "home"}, environ=OPEN, folder=tmp_path), actor="ada") as workspace:
        yield Client(workspace)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def made(client: Client, url: str, name: str = "hook", **named: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.made("webhooks", name=name, url=url, events=CREATED, **named)["webhook"]
    return found


def test_a_webhook_is_written_without_its_secret(client: Client, hook: Receiver) -> None:
    found = made(client, hook.url, description="tells", secret="hush")

    assert {key: value for key, value in found.items() if not key.endswith(("_id", "_timestamp"))} == {
        "name": "hook",
        "url": hook.url,
        "description": "tells",
        "events": CREATED,
        "status": "ACTIVE",
    }
    assert client.get(f"webhooks/{found['webhook_id']}") == (200, {"webhook": found})


def test_what_is_not_sent_stays_and_the_rest_is_changed(client: Client, hook: Receiver) -> None:
    found = made(client, hook.url, description="tells", secret="hush")
    events = [{"entity": "PROMPT_TAG", "action": "SET"}]

    _, answer = client.send("PATCH", f"webhooks/{found['webhook_id']}", events=events, status="DISABLED")

    changed = answer["webhook"]
    assert (changed["events"], changed["status"], changed["description"]) == (events, "DISABLED", "tells")


def test_webhooks_are_listed_in_pages_the_newest_first(client: Client, hook: Receiver) -> None:
    for name in ("a", "b", "c"):
        made(client, hook.url, name)

    _, first = client.get("webhooks", max_results="2")
    _, second = client.get("webhooks", max_results="2", page_token=first["next_page_token"])

    assert [one["name"] for one in first["webhooks"] + second["webhooks"]] == ["c", "b", "a"]
    assert "next_page_token" not in second


def test_a_test_answers_what_the_receiver_said(client: Client, hook: Receiver) -> None:
    webhook = made(client, hook.url)["webhook_id"]

    _, first = client.post(f"webhooks/{webhook}/test")
    hook.answers = [500]
    _, second = client.post(f"webhooks/{webhook}/test", event={"entity": "PROMPT", "action": "CREATED"})

    assert first["result"] == {"success": True, "response_status": 200, "response_body": "ok"}
    assert (second["result"]["success"], second["result"]["response_status"]) == (False, 500)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"url": "{url}", "events": CREATED}, "Missing value for required parameter 'name'."),
        ({"name": "w", "url": "{url}"}, "Missing value for required parameter 'events'."),
        ({"name": "w", "url": "{url}", "events": []}, "Webhook events must be a non-empty list of WebhookEvent objects"),
        ({"name": "-w", "url": "{url}", "events": CREATED}, "Webhook name '-w' is invalid. It must start and end with"),
        ({"name": "w", "url": "ftp://h/", "events": CREATED}, "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: "),
        ({"name": "w", "url": "{url}", "events": [{"entity": "PROMPT", "action": "SET"}]},
         "Invalid action 'set' for entity 'prompt'. Valid actions are: ['created']"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_the_words_of_the_protocol(
    client: Client, hook: Receiver, body: dict[str, Any], message: str
) -> None:
    sent = {name: hook.url if value == "{url}" else value for name, value in body.items()}

    status, answer = client.post("webhooks", **sent)

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer["message"].startswith(message)


def test_a_deleted_webhook_is_gone(client: Client, hook: Receiver) -> None:
    webhook = made(client, hook.url)["webhook_id"]

    assert client.send("DELETE", f"webhooks/{webhook}") == (200, {})
    status, answer = client.send("DELETE", f"webhooks/{webhook}")
    assert (status, answer["message"]) == (404, f"Webhook with ID {webhook} not found.")
