"""Webhooks: told in the transaction of the change, at least once, signed, and never to an address inside."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.systems.train.registry.house import House
from tests.systems.train.webhooks.receiver import Receiver, receiver
from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.systems.train.registry.errors import ModelExists
from treadle.systems.train.registry.requests import CreateModel, DropAlias, PromoteModel, TagVersion
from treadle.systems.train.webhooks.addresses import Policy, Target, checked, is_public
from treadle.systems.train.webhooks.delivering import MOST_ATTEMPTS, Deliverer, Sender
from treadle.systems.train.webhooks.errors import AddressRefused, SealBroken, WebhookInvalid, WebhookNotFound
from treadle.systems.train.webhooks.posting import Reply
from treadle.systems.train.webhooks.sealed import Seal, home_key
from treadle.systems.train.webhooks.service import CreateWebhook, TestWebhook, UpdateWebhook, WebhookNamed
from treadle.testing.postgres import postgres_store_database

OPEN = {"TREADLE_ALLOW_PRIVATE_WEBHOOKS": "true", "TREADLE_ALLOW_HTTP_WEBHOOKS": "true"}
SECRET = "correct horse battery staple"


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with contextlib.ExitStack() as stack:
        flags: dict[str, object] = {"home": tmp_path / "home"}
        if request.param == "postgresql":
            flags["store"] = stack.enter_context(postgres_store_database())
        settings = load(flags, environ=OPEN, folder=tmp_path)
        yield House(stack.enter_context(Workspace(settings, actor="ada")))


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def listen(house: House, url: str, *events: str, secret: str | None = None) -> str:
    request = CreateWebhook(name="hook", url=url, events=events or ("model_version.created",), secret=secret)
    return house.workspace.registry.webhooks.create(house.ada, request).id


def bodies(hook: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in hook.received]


def deliverer(house: House, *, wait: timedelta = timedelta(0)) -> Deliverer:
    sender = Sender(Policy(True, True), Seal(lambda: home_key(house.workspace.home)), house.workspace.clock)
    return Deliverer(house.workspace.store, house.workspace.outbox, sender, wait=lambda attempts: wait)


def test_every_change_that_was_asked_for_is_told_in_the_words_of_the_protocol(house: House, hook: Receiver) -> None:
    listen(
        house,
        hook.url,
        "registered_model.created",
        "model_version.created",
        "model_version_tag.set",
        "model_version_tag.deleted",
        "model_version_alias.created",
        "model_version_alias.deleted",
    )
    house.model()
    house.version(description="first", tags={"k": "v"}, run_id="r")
    house.workspace.registry.versions.tag(house.ada, TagVersion(model="late", version=1, key="a", value="b"))
    house.workspace.registry.versions.tag(house.ada, TagVersion(model="late", version=1, key="a"))
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=1))
    house.workspace.registry.models.unalias(house.ada, DropAlias(model="late", alias="champion"))

    assert house.workspace.registry.deliverer.deliver().delivered == 6

    told = {f"{body['entity']}.{body['action']}": body["data"] for body in bodies(hook)}
    assert told == {
        "registered_model.created": {"name": "late", "tags": {}, "description": ""},
        "model_version.created": {
            "name": "late", "version": "1", "source": "s3://bucket/model", "run_id": "r", "tags": {"k": "v"},
            "description": "first",
        },
        "model_version_tag.set": {"name": "late", "version": "1", "key": "a", "value": "b"},
        "model_version_tag.deleted": {"name": "late", "version": "1", "key": "a"},
        "model_version_alias.created": {"name": "late", "alias": "champion", "version": "1"},
        "model_version_alias.deleted": {"name": "late", "alias": "champion"},
    }  # fmt: skip


def test_prompts_have_events_of_their_own_without_their_inner_labels(house: House, hook: Receiver) -> None:
    listen(
        house, hook.url, "registered_model.created", "prompt.created", "prompt_version.created", "prompt_alias.created"
    )
    tags = {"mlflow.prompt.is_prompt": "true", "_mlflow_prompt_type": "text"}
    house.workspace.registry.models.create(house.ada, CreateModel(name="hi", tags={**tags, "team": "a"}))
    house.version("dummy-source", name="hi", tags={**tags, "mlflow.prompt.text": "Hello"})
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="hi", version=1, alias="live"))

    house.workspace.registry.deliverer.deliver()

    told = {f"{body['entity']}.{body['action']}": body["data"] for body in bodies(hook)}
    assert told == {
        "prompt.created": {"name": "hi", "tags": {"team": "a"}, "description": ""},
        "prompt_version.created": {"name": "hi", "version": "1", "template": "Hello", "tags": {}, "description": None},
        "prompt_alias.created": {"name": "hi", "alias": "live", "version": "1"},
    }


def test_a_message_is_signed_over_its_id_its_time_and_its_body(house: House, hook: Receiver) -> None:
    listen(house, hook.url, secret=SECRET)
    house.model()
    house.version()

    house.workspace.registry.deliverer.deliver()

    headers, body = hook.received[0]
    signed = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.{body.decode()}"
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()).decode()
    assert headers["x-mlflow-signature"] == f"v1,{expected}"


def test_without_a_secret_nothing_is_signed(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()

    house.workspace.registry.deliverer.deliver()

    assert "x-mlflow-signature" not in hook.received[0][0]


def test_a_change_that_does_not_stand_is_not_told(house: House, hook: Receiver) -> None:
    listen(house, hook.url, "registered_model.created")
    house.model()
    house.workspace.registry.deliverer.deliver()

    with pytest.raises(ModelExists):
        house.model()

    assert house.workspace.registry.deliverer.deliver().delivered == 0
    assert len(hook.received) == 1


def test_what_failed_is_tried_again_under_the_same_id_until_it_is_taken(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    hook.answers = [503, 500]
    work = deliverer(house)

    assert [work.deliver().failed, work.deliver().failed, work.deliver().delivered] == [1, 1, 1]

    ids = {headers["x-mlflow-delivery-id"] for headers, _ in hook.received}
    assert (len(hook.received), len(ids)) == (3, 1)
    assert work.deliver().delivered == 0


def test_what_failed_waits_before_it_is_tried_again(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    hook.answers = [503]
    work = deliverer(house, wait=timedelta(hours=1))

    work.deliver()

    assert work.deliver().delivered == 0
    assert len(hook.received) == 1


def test_what_never_succeeds_is_given_up_with_its_problem_on_record(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    hook.answers = [500] * (MOST_ATTEMPTS + 5)
    work = deliverer(house)

    rounds = [work.deliver() for _ in range(MOST_ATTEMPTS)]

    assert (rounds[-1].given_up, len(hook.received)) == (1, MOST_ATTEMPTS)


def test_a_redirect_is_not_followed(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    hook.answers, hook.location = [302], hook.url + "/elsewhere"

    assert house.workspace.registry.deliverer.deliver().given_up == 1
    assert len(hook.received) == 1


def test_a_killed_deliverer_leaves_its_parcels_to_the_next(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    taken = house.workspace.outbox.take("webhook", "killed", limit=10)

    assert len(taken) == 1
    assert house.workspace.registry.deliverer.deliver().delivered == 0
    late = house.workspace.clock
    house.workspace.outbox._clock = lambda: late() + timedelta(minutes=5)
    assert house.workspace.registry.deliverer.deliver().delivered == 1


def test_a_disabled_or_deleted_webhook_is_told_nothing(house: House, hook: Receiver) -> None:
    first, second = listen(house, hook.url), listen(house, hook.url)
    house.model()
    house.version()
    house.workspace.registry.webhooks.update(house.ada, UpdateWebhook(webhook=first, status="DISABLED"))
    house.workspace.registry.webhooks.delete(house.ada, WebhookNamed(webhook=second))

    assert house.workspace.registry.deliverer.deliver().given_up == 2
    house.version()
    assert house.workspace.registry.deliverer.deliver().given_up == 0
    assert hook.received == []


def test_a_test_sends_an_example_at_once_and_says_what_was_answered(house: House, hook: Receiver) -> None:
    webhook = listen(house, hook.url, "prompt_alias.deleted", "model_version.created", secret=SECRET)
    hook.answers = [200, 418]

    first = house.workspace.registry.webhooks.test(house.ada, TestWebhook(webhook=webhook))
    second = house.workspace.registry.webhooks.test(
        house.ada, TestWebhook(webhook=webhook, event="model_version.created")
    )

    assert (first.success, first.status, first.body) == (True, 200, "ok")
    assert (second.success, second.status) == (False, 418)
    assert bodies(hook)[0]["data"] == {"name": "example", "alias": "example_alias"}


# Secrets


def test_a_secret_is_sealed_in_the_store_and_in_no_answer(house: House, hook: Receiver) -> None:
    webhook = listen(house, hook.url, secret=SECRET)

    found = house.workspace.registry.webhooks.get(house.ada, WebhookNamed(webhook=webhook))

    assert found.has_secret
    assert SECRET not in repr(found)
    for path in house.workspace.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    key = house.workspace.home / "webhook.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_secret_of_one_webhook_opens_in_no_other(tmp_path: Path) -> None:
    seal = Seal(lambda: home_key(tmp_path))
    sealed = seal.close("one", SECRET)

    assert seal.open("one", sealed) == SECRET
    with pytest.raises(SealBroken):
        seal.open("other", sealed)
    with pytest.raises(SealBroken):
        Seal(lambda: bytes(32)).open("one", sealed)


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    home_key(tmp_path)
    (tmp_path / "webhook.key").chmod(0o644)

    with pytest.raises(SealBroken):
        home_key(tmp_path)


def test_the_operator_can_give_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_SECRET_WEBHOOK_KEY", "shared between hosts")

    assert home_key(tmp_path / "a") == home_key(tmp_path / "b")
    assert not list(tmp_path.iterdir())


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "ff02::1", "fe80::1%eth0", "nonsense",
    ],
)  # fmt: skip
def test_addresses_inside_are_no_addresses_of_the_internet(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_internet_are() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x", "ftp://example.com/x", "https:///x", "  ", "https://user@example.com/", "https://a b/",
     "https://example.com:99999/", "https://example.com/é", "https://①②⑦.0.0.1/"],
)  # fmt: skip
def test_urls_that_are_not_called(url: str) -> None:
    with pytest.raises(AddressRefused):
        checked(url, Policy(), lambda host, port: ["93.184.216.34"])


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.7"], []])
def test_a_name_with_one_address_inside_is_refused_whole(found: list[str]) -> None:
    with pytest.raises(AddressRefused):
        checked("https://example.com/x", Policy(), lambda host, port: found)


def test_a_webhook_to_this_host_takes_the_operators_leave(tmp_path: Path, hook: Receiver) -> None:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as workspace:
        house = House(workspace)
        with pytest.raises(AddressRefused):
            listen(house, hook.url)
        with pytest.raises(AddressRefused):
            listen(house, hook.url.replace("http://", "https://"))


def test_a_name_that_answers_differently_the_second_time_reaches_nothing_inside(house: House) -> None:
    """DNS rebinding: the address is checked again for the message, and the socket goes to the one that was checked."""
    answers = iter([["93.184.216.34"], ["93.184.216.34"], ["169.254.169.254"]])
    called: list[Target] = []

    def post(target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
        called.append(target)
        return Reply(200, "")

    workspace = house.workspace
    sender = Sender(Policy(), Seal(lambda: bytes(32)), workspace.clock, resolve=lambda *_: next(answers), post=post)
    workspace.registry.webhooks._policy, workspace.registry.webhooks._resolve = Policy(), lambda *_: next(answers)
    listen(house, "https://rebinding.example/x")
    house.model()
    house.version()
    house.version()
    work = Deliverer(workspace.store, workspace.outbox, sender, wait=lambda _: timedelta(0))

    done = work.deliver()

    assert (done.delivered, done.failed) == (1, 1)
    assert [target.address for target in called] == ["93.184.216.34"]
    assert called[0].host == "rebinding.example"


@pytest.mark.parametrize(
    ("name", "events"), [("-bad", ["prompt.created"]), ("ok", []), ("ok", ["prompt.set"]), ("ok", ["nothing.created"])]
)
def test_what_a_webhook_cannot_be_is_refused(house: House, hook: Receiver, name: str, events: list[str]) -> None:
    with pytest.raises(WebhookInvalid):
        house.workspace.registry.webhooks.create(house.ada, CreateWebhook(name=name, url=hook.url, events=events))


def test_an_unknown_webhook_is_said_to_be_none(house: House) -> None:
    with pytest.raises(WebhookNotFound):
        house.workspace.registry.webhooks.get(house.ada, WebhookNamed(webhook="none"))


def test_what_was_delivered_is_forgotten_after_a_while(house: House, hook: Receiver) -> None:
    listen(house, hook.url)
    house.model()
    house.version()
    house.workspace.registry.deliverer.deliver()

    def sweep(before: datetime) -> int:
        return house.workspace.outbox.sweep(before)

    now = house.workspace.clock()
    assert (sweep(now - timedelta(days=1)), sweep(now + timedelta(days=1))) == (0, 1)
