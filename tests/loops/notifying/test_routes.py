from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.events.outbox import Outbox
from treadle.kernel.governance import Caller
from treadle.loops.notifying import AlertDeliverer, RouteGuard
from treadle.systems.monitor.alerting import Alerting
from treadle.systems.monitor.alerts import Symptom, Verdict
from treadle.systems.monitor.errors import RouteNotFound, UnfitRoute
from treadle.systems.monitor.records import Monitor
from treadle.systems.monitor.repository import AlertRows
from treadle.systems.monitor.route_service import AlertRoutes, CreateRoute, RouteNamed, SilenceAlerts
from treadle.systems.train.webhooks.addresses import Policy
from treadle.systems.train.webhooks.errors import AddressRefused
from treadle.systems.train.webhooks.posting import DELIVERY, SIGNATURE, TIMESTAMP, Reply
from treadle.systems.train.webhooks.sealed import Seal
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")
WINDOW = datetime(2024, 5, 1, tzinfo=UTC)


@dataclass
class House:
    """Alerts, routes and a world that remembers what it was told."""

    store: object
    now: datetime = WINDOW
    posts: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    mails: list[tuple[str, str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        events = EventLog(self.store, clock=self.clock, new_id=new_id)
        self.outbox = Outbox(self.store, self.clock, new_id)
        seal, policy = Seal(lambda: b"k" * 32), Policy()
        self.routes = AlertRoutes(self.store, events, RouteGuard(policy, seal), clock=self.clock, new_id=new_id)
        self.alerting = Alerting(AlertRows(), events, self.clock, new_id, self.outbox)
        self.deliverer = AlertDeliverer(
            self.store,
            self.outbox,
            policy,
            seal,
            self,
            self.clock,
            resolve=lambda *_: ["93.184.216.34"],
            post=self.post,
        )

    def clock(self) -> datetime:
        return self.now

    def post(self, target, body, headers) -> Reply:
        self.posts.append((f"{target.host}{target.path}", body, dict(headers)))
        return Reply(self.answers.pop(0) if self.answers else 200, "")

    def send(self, to, subject, text) -> None:
        self.mails.append((to, subject, text))

    def judge(self, *columns: str, endpoint: str = "churn", window: int = 0) -> None:
        at = WINDOW + timedelta(days=window)
        monitor = Monitor(
            id=f"mon_{endpoint}", name=endpoint, endpoint=endpoint, window_s=86_400, anchor_at=WINDOW,
            false_alarms_per_year=4.0, decision_threshold=0.5, loss_increase=0.03, kinds=None, recorded_at=WINDOW,
        )  # fmt: skip
        symptoms = tuple(Symptom(column=c, z=9.0, figure="mean", detail="mean +0.31 sd") for c in columns)
        verdict = Verdict(kind="drift", window_at=at, symptoms=symptoms, threshold=4.0)
        self.store.write(lambda tx: self.alerting.apply(tx, ADA, monitor, "1", verdict, judged_at=at))


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr("treadle.loops.notifying.guarding.checked", lambda url, policy: refuse_inside(url))
    store = embedded_store(tmp_path)
    yield House(store)
    store.close()


def refuse_inside(url: str) -> None:
    from treadle.systems.train.webhooks.addresses import checked

    checked(url, Policy(), lambda host, port: ["127.0.0.1" if host == "inside.example" else "93.184.216.34"])


def test_an_alert_is_told_to_a_webhook_signed_and_with_its_runbook(house):
    house.routes.route(
        ADA,
        CreateRoute(name="ops", kind="webhook", target="https://ops.example/in", runbook="See wiki/churn", secret="s"),
    )
    house.judge("age", "plan")

    told = house.deliverer.deliver()

    (place, body, headers), said = house.posts[0], msgspec.json.decode(house.posts[0][1])
    signed = hmac.new(b"s", f"{headers[DELIVERY]}.{headers[TIMESTAMP]}.".encode() + body, hashlib.sha256).digest()
    assert (told.delivered, place) == (1, "ops.example/in")
    assert headers[SIGNATURE] == f"v1,{base64.b64encode(signed).decode()}"
    assert said["subject"] == "Alerts 1 opened: churn"
    assert [one["column"] for one in said["alerts"][0]["symptoms"]] == ["age", "plan"]
    assert said["alerts"][0]["runbook"] == "See wiki/churn"
    assert house.deliverer.deliver().delivered == 0


def test_what_is_due_for_one_route_goes_as_one_message(house):
    house.routes.route(ADA, CreateRoute(name="chat", kind="slack", target="https://hooks.example/x"))
    house.judge("age")
    house.judge("price", endpoint="late")

    house.deliverer.deliver()

    ((_, body, headers),) = house.posts
    text = msgspec.json.decode(body)["text"]
    assert text.startswith("*Alerts 2 opened: churn, late*")
    assert "age: mean +0.31 sd, z 9.0" in text
    assert SIGNATURE not in headers


def test_a_mail_says_when_it_is_over(house):
    house.routes.route(ADA, CreateRoute(name="mail", kind="email", target="oncall@example.org", endpoint="churn"))
    house.judge("age")
    house.judge("price", endpoint="late")
    house.deliverer.deliver()
    house.judge(window=1)
    house.judge(window=2)

    house.deliverer.deliver()

    assert [(to, subject) for to, subject, _ in house.mails] == [
        ("oncall@example.org", "Alerts 1 opened: churn"),
        ("oncall@example.org", "Alerts 1 resolved: churn"),
    ]


def test_a_silence_keeps_messages_back_and_not_the_alert(house):
    house.routes.route(ADA, CreateRoute(name="mail", kind="email", target="oncall@example.org"))
    house.routes.silence(ADA, SilenceAlerts(endpoint="churn", column="age", for_s=3600, reason="known"))
    house.judge("age")
    house.judge("price")

    house.deliverer.deliver()
    with house.store.read() as reader:
        opened = AlertRows().all(reader, "default")

    assert len(opened) == 2
    assert len(house.mails) == 1
    assert "price" in house.mails[0][2]
    assert "age" not in house.mails[0][2]
    house.now += timedelta(hours=2)
    assert house.routes.silences(ADA) == []


def test_what_was_not_taken_is_told_again_later(house):
    house.routes.route(ADA, CreateRoute(name="ops", kind="webhook", target="https://ops.example/in"))
    house.answers = [503]
    house.judge("age")

    first, early = house.deliverer.deliver(), house.deliverer.deliver()
    house.now += timedelta(minutes=1)
    later = house.deliverer.deliver()

    assert (first.failed, early.delivered, later.delivered) == (1, 0, 1)
    assert house.posts[0][2][DELIVERY] == house.posts[1][2][DELIVERY]


def test_a_route_that_was_taken_away_is_told_nothing(house):
    route = house.routes.route(ADA, CreateRoute(name="ops", kind="webhook", target="https://ops.example/in"))
    house.judge("age")
    house.routes.unroute(ADA, RouteNamed(route=route.id))

    assert house.deliverer.deliver().given_up == 1
    assert house.posts == house.routes.routes(ADA) == []
    with pytest.raises(RouteNotFound):
        house.routes.unroute(ADA, RouteNamed(route=route.id))


def test_routes_lead_neither_inside_nor_into_a_header(house):
    with pytest.raises(AddressRefused):
        house.routes.route(ADA, CreateRoute(name="x", kind="slack", target="https://inside.example/"))
    with pytest.raises(UnfitRoute):
        house.routes.route(ADA, CreateRoute(name="x", kind="email", target="a@b.org\nBcc: all@b.org"))
    with pytest.raises(UnfitRoute):
        house.routes.silence(ADA, SilenceAlerts(endpoint="churn", for_s=0, reason="never"))
