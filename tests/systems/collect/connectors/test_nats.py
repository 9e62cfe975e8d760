"""Messages of a real JetStream land exactly once, whatever is delivered again and wherever a process dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from tests.systems.collect.conftest import ADA, Home, open_home
from tests.systems.collect.connectors.servers import NATS, needs
from treadle.ground.errors import TreadleError
from treadle.ground.ids import new_id
from treadle.systems.collect.connectors.looking import look_at
from treadle.systems.collect.connectors.nats import NatsSource
from treadle.systems.collect.connectors.steps import SteppedSource

PROGRAM = Path(__file__).with_name("stream_that_dies.py")


class Stream:
    """A stream of its own on the server."""

    def __init__(self) -> None:
        self.name = new_id("t")

    def do(self, work: Callable[[Any], Any]) -> Any:
        async def main() -> Any:
            connection = await nats.connect(NATS)
            try:
                return await work(connection.jetstream())
            finally:
                await connection.close()

        return asyncio.run(main())

    def make(self, **config: Any) -> None:
        self.do(lambda js: js.add_stream(StreamConfig(name=self.name, subjects=[f"{self.name}.>"], **config)))

    def publish(self, *bodies: bytes, subject: str = "a") -> None:
        async def work(js: Any) -> None:
            for body in bodies:
                await js.publish(f"{self.name}.{subject}", body)

        self.do(work)

    def source(self, **options: Any) -> SteppedSource:
        given = {"url": NATS, "stream": self.name, "max_messages": 4, "max_wait_s": 0.2, **options}
        return NatsSource(**given).open("events", Path())


@pytest.fixture
def stream() -> Iterator[Stream]:
    needs(NATS, "NATS server", "TREADLE_TEST_NATS")
    made = Stream()
    yield made
    made.do(lambda js: js.delete_stream(made.name))


def events(first: int, last: int) -> list[bytes]:
    return [b'{"n": %d}' % n for n in range(first, last + 1)]


def numbers(home: Home) -> list[int]:
    frame = home.datasets.scan("default", home.datasets.snapshot("default", "events")).collect()
    return frame.sort("_sequence")["n"].to_list()


@pytest.mark.parametrize("retention", [RetentionPolicy.LIMITS, RetentionPolicy.WORK_QUEUE])
def test_messages_land_in_batches_and_later_ones_later(home, stream, retention):
    stream.make(retention=retention)
    stream.publish(*events(1, 10))

    first = home.datasets.land(ADA, "events", stream.source())
    stream.publish(*events(11, 13))
    second = home.datasets.land(ADA, "events", stream.source())

    assert [one.rows_in for one in first] == [4, 4, 2]
    assert [one.rows_in for one in second] == [3]
    assert numbers(home) == list(range(1, 14))
    assert home.datasets.land(ADA, "events", stream.source()) == []
    info = stream.do(lambda js: js.stream_info(stream.name))
    assert info.state.messages == (13 if retention == RetentionPolicy.LIMITS else 0)  # acknowledged after they landed
    assert info.state.consumer_count == 0


@pytest.mark.parametrize(
    ("point", "retention"),
    [
        ("written", RetentionPolicy.LIMITS),
        ("committed main", RetentionPolicy.LIMITS),
        ("settled", RetentionPolicy.WORK_QUEUE),
    ],
)
def test_a_process_killed_at_any_point_loses_and_doubles_no_message(tmp_path, stream, point, retention):
    stream.make(retention=retention)
    stream.publish(*events(1, 9))

    command = [sys.executable, PROGRAM, tmp_path, NATS, stream.name, point, "2"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    home = open_home(tmp_path)
    home.datasets.land(ADA, "events", stream.source())

    assert numbers(home) == list(range(1, 10))
    assert home.datasets.land(ADA, "events", stream.source()) == []
    home.store.close()


def test_what_was_delivered_to_a_run_that_died_comes_before_what_is_newer(home, stream):
    stream.make()
    stream.publish(*events(1, 8))
    dying = stream.source().batches(None, lambda key: False, dict)
    next(dying)  # four messages are out, and nobody has landed or acknowledged them

    home.datasets.land(ADA, "events", stream.source())
    dying.close()

    assert numbers(home) == list(range(1, 9))


def test_only_messages_of_the_subject_land(home, stream):
    stream.make()
    stream.publish(*events(1, 2), subject="a")
    stream.publish(*events(3, 4), subject="b")

    home.datasets.land(ADA, "events", stream.source(subject=f"{stream.name}.b"))

    assert numbers(home) == [3, 4]


def test_a_message_that_is_no_object_is_put_aside_with_its_text(home, stream):
    stream.make()
    stream.publish(b'{"n": 1}', b"no json", b"[2]", b'{"n": 3}')

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", stream.source())
    [landing] = home.datasets.land(ADA, "events", stream.source(malformed="quarantine"))

    assert caught.value.code == "source.unreadable"
    assert (landing.rows_kept, landing.rows_refused) == (2, 2)
    assert numbers(home) == [1, 3]


def test_a_field_of_two_types_does_not_stop_the_stream(home, stream):
    stream.make()
    stream.publish(b'{"n": 1}')
    home.datasets.land(ADA, "events", stream.source())
    stream.publish(b'{"n": "two"}', b'{"n": 3}')

    [landing] = home.datasets.land(ADA, "events", stream.source(), on_mismatch="quarantine")

    assert (landing.rows_kept, landing.rows_refused) == (1, 1)
    assert numbers(home) == [1, 3]


def test_messages_that_the_stream_dropped_are_an_error_unless_a_gap_is_allowed(home, stream):
    stream.make(max_msgs=3)
    stream.publish(*events(1, 2))
    home.datasets.land(ADA, "events", stream.source())
    stream.publish(*events(3, 9))

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", stream.source())
    home.datasets.land(ADA, "events", stream.source(on_gap="skip"))

    assert caught.value.code == "source.position_lost"
    assert "4 messages" in caught.value.what
    assert numbers(home) == [1, 2, 7, 8, 9]


def test_a_stream_that_was_made_anew_is_not_taken_for_the_old_one(home, stream):
    stream.make()
    stream.publish(*events(1, 3))
    home.datasets.land(ADA, "events", stream.source())
    stream.do(lambda js: js.delete_stream(stream.name))
    stream.make()
    stream.publish(*events(4, 9))

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", stream.source())

    assert caught.value.code == "source.position_lost"


def test_a_look_takes_nothing_from_a_work_queue(home, stream):
    stream.make(retention=RetentionPolicy.WORK_QUEUE)
    stream.publish(*events(1, 3), subject="a")

    seen = look_at(stream.source(subject=f"{stream.name}.*"), 2)
    home.datasets.land(ADA, "events", stream.source())

    assert seen.frame["n"].to_list() == [1, 2]
    assert numbers(home) == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "code"),
    [({"stream": "none-of-that-name"}, "source.refused"), ({"url": "nats://127.0.0.1:1"}, "source.unreachable")],
)
def test_a_stream_that_is_not_there_is_an_error_in_plain_words(home, stream, options, code):
    stream.make()

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "events", stream.source(**options))

    assert caught.value.code == code
