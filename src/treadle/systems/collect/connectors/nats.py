"""Streams of NATS JetStream, in small batches, each message landed exactly once.

The cursor is the stream's sequence, and stands in the landing's own transaction; messages are acknowledged when the landing
stands. The server's memory of what was delivered is never trusted: each run makes a consumer that begins after the cursor, so
messages come in order and without gaps, and one that comes again is known by its sequence.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from treadle.ground.errors import MissingExtra
from treadle.ground.ids import new_id
from treadle.systems.collect.connectors.credentials import redacted, revealed, without_password
from treadle.systems.collect.connectors.errors import PositionLost, SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.limits import Count, Seconds
from treadle.systems.collect.connectors.looking import Look
from treadle.systems.collect.connectors.loop_thread import LoopThread
from treadle.systems.collect.connectors.messages import Message, MessageFormat, rows_of
from treadle.systems.collect.connectors.steps import Known, Step, SteppedSource

try:
    import nats as client
    from nats.errors import Error as NatsError
    from nats.errors import TimeoutError as NatsTimeout
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy
    from nats.js.errors import APIError, NotFoundError
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("nats-py", "nats", "Reading from NATS JetStream") from error

T = TypeVar("T")
_ACK_WAIT_S = 600.0
_INACTIVE_S = 3600.0
_CONNECT_S = 5
_LOOK_S = 2.0


class NatsSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stream is declared with.

    stream: the JetStream stream; subject: which of its messages (default: all). A batch is whole with max_messages, max_bytes, or
    when no message came for max_wait_s. on_gap: what to do when the stream has dropped messages after the cursor.
    """

    url: str
    stream: str
    subject: str | None = None
    user: str | None = None
    password: str | None = None
    token: str | None = None
    credentials_file: str | None = None
    format: MessageFormat = "json"
    malformed: Literal["refuse", "quarantine"] = "refuse"
    on_gap: Literal["refuse", "skip"] = "refuse"
    max_messages: Count = 10_000
    max_bytes: Count = 16 << 20
    max_wait_s: Seconds = 0.5

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SteppedSource:
        """The source. Nothing connects before it is read."""
        return SteppedSource(name, StreamReader(self, name, root), types)


class _At(msgspec.Struct, frozen=True):
    """The last sequence that has landed, and when the stream was made: one that was made anew counts from 1 again."""

    sequence: int
    made_at: str


class StreamReader:
    """Reads a stream from where it stands up to what it held when the run began."""

    def __init__(self, asked: NatsSource, name: str, root: Path) -> None:
        self._asked, self._name, self._root = asked, name, root

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        before = None if at is None else msgspec.convert(at, _At)
        with LoopThread("treadle-nats") as loop:
            connection = self._try(loop, self._connect())
            try:
                yield from self._read(loop, connection.jetstream(), before)
            finally:
                loop.run(connection.close())

    def look(self, rows: int) -> Look:
        """The first messages that the stream still has; no consumer is made and nothing is acknowledged."""
        with LoopThread("treadle-nats") as loop:
            connection = self._try(loop, self._connect())
            try:
                messages = self._try(loop, self._first(connection.jetstream(), rows))
            finally:
                loop.run(connection.close())
        frame, broken = rows_of(messages, self._asked.format, "quarantine")
        return Look(frame=frame, notes=[f"message {line.row} is no row: {line.reason}" for line in broken])

    def _read(self, loop: LoopThread, stream: Any, before: _At | None) -> Iterator[Step]:
        asked = self._asked
        info = self._try(loop, stream.stream_info(asked.stream))
        made_at, is_queue = info.created.isoformat(), info.config.retention != RetentionPolicy.LIMITS
        last = before.sequence if before else 0
        if before is not None:
            self._check(before, info, made_at, is_queue)
        end = info.state.last_seq
        if end <= last and not is_queue:
            return
        consumer, subscription = self._try(loop, self._subscribe(stream, last, is_queue))
        try:
            while True:
                batch = self._try(loop, self._batch(subscription, last))
                if not batch:
                    return
                fresh = [message for message, _ in batch if message.sequence > last]
                if fresh:
                    frame, broken = rows_of(fresh, asked.format, asked.malformed)
                    last = fresh[-1].sequence
                    origin = {
                        "server": without_password(asked.url),
                        "stream": asked.stream,
                        "first": fresh[0].sequence,
                        "last": last,
                    }
                    place = msgspec.to_builtins(_At(last, made_at))
                    yield Step(frames=[frame], at=place, origin=origin, malformed=broken)
                self._try(loop, _acknowledge([raw for _, raw in batch]))
                if last >= end:
                    return
        finally:
            self._try(loop, _forget(stream, asked.stream, consumer))

    def _check(self, before: _At, info: Any, made_at: str, is_queue: bool) -> None:
        if made_at != before.made_at:
            raise PositionLost(
                f"The stream {self._asked.stream!r} was deleted and made anew at {made_at}.",
                why="Its messages count from 1 again, so the cursor means others than those that have landed.",
                fix="Declare the new stream as a source of another name.",
            )
        missing = info.state.first_seq - before.sequence - 1
        if missing > 0 and not is_queue and self._asked.subject is None and self._asked.on_gap == "refuse":
            raise PositionLost(
                f"The stream {self._asked.stream!r} has dropped {missing:,} messages that had not landed.",
                why=f"The last one that landed is {before.sequence:,}; the stream begins at {info.state.first_seq:,}.",
                fix="Keep messages longer or run the source more often. To go on without them: on_gap = 'skip'.",
            )

    async def _connect(self) -> Any:
        asked = self._asked
        given = {"user": asked.user, "password": revealed(asked.password), "token": revealed(asked.token)}
        if asked.credentials_file is not None:
            given["user_credentials"] = str(self._root / asked.credentials_file)
        chosen = {name: value for name, value in given.items() if value is not None}
        return await client.connect(
            asked.url,
            connect_timeout=_CONNECT_S,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.2,
            error_cb=_quiet,
            name="treadle",
            **chosen,
        )

    async def _subscribe(self, stream: Any, last: int, is_queue: bool) -> tuple[str, Any]:
        """A consumer that begins after the cursor. A work queue allows one alone, from its beginning: it gets a fixed name."""
        asked = self._asked
        name = f"treadle_{_word(self._name)}" + ("" if is_queue else f"_{new_id('c')}")
        if is_queue:
            await _forget(stream, asked.stream, name)
        config = ConsumerConfig(
            name=name,
            durable_name=name if is_queue else None,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=asked.max_messages * 2,
            inactive_threshold=_INACTIVE_S,
            deliver_policy=DeliverPolicy.ALL if is_queue else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if is_queue else last + 1,
            filter_subject=asked.subject,
        )
        await stream.add_consumer(asked.stream, config)
        return name, await stream.pull_subscribe_bind(consumer=name, stream=asked.stream)

    async def _batch(self, subscription: Any, last: int) -> list[tuple[Message, Any]]:
        """Messages until the batch is whole. None at all means that the stream has been read to its end."""
        asked, size = self._asked, 0
        batch: list[tuple[Message, Any]] = []
        until = time.monotonic() + asked.max_wait_s
        while len(batch) < asked.max_messages and size < asked.max_bytes and (left := until - time.monotonic()) > 0:
            try:
                raw = await subscription.fetch(min(asked.max_messages - len(batch), 1000), timeout=left)
            except NatsTimeout:
                break
            for one in raw:
                batch.append((_message(one), one))
                size += len(one.data)
            if raw and raw[-1].metadata.num_pending == 0:
                break
        return batch

    async def _first(self, stream: Any, rows: int) -> list[Message]:
        info = await stream.stream_info(self._asked.stream)
        found: list[Message] = []
        until, sequence = time.monotonic() + _LOOK_S, info.state.first_seq
        while len(found) < rows and sequence <= info.state.last_seq and time.monotonic() < until:
            try:
                raw = await stream.get_msg(self._asked.stream, sequence)
            except NotFoundError:
                raw = None
            if raw is not None and (self._asked.subject is None or _matches(self._asked.subject, raw.subject)):
                found.append(
                    Message(sequence=sequence, subject=raw.subject, published_at=info.created, data=raw.data or b"")
                )
            sequence += 1
        return found

    def _try(self, loop: LoopThread, work: Coroutine[Any, Any, T]) -> T:
        where = f"{without_password(self._asked.url)}, stream {self._asked.stream!r}"
        try:
            return loop.run(work)
        except NotFoundError as error:
            raise SourceRefused(
                f"{where}: there is no such stream.", fix="Is its name right? nats stream ls"
            ) from error
        except APIError as error:
            raise SourceRefused(f"{where}: {redacted(error.description or str(error))}.") from error
        except (NatsError, OSError) as error:
            raise SourceUnreachable(
                f"{where} does not answer: {redacted(str(error) or type(error).__name__)}.",
                fix="Is the server up, with JetStream, and are the credentials right?",
            ) from error


async def _acknowledge(raw: list[Any]) -> None:
    for message in raw:
        await message.ack()
    if raw:
        await raw[-1]._client.flush()


async def _forget(stream: Any, name: str, consumer: str) -> None:
    with contextlib.suppress(NotFoundError):
        await stream.delete_consumer(name, consumer)


async def _quiet(error: Exception) -> None:
    """What goes wrong is raised where it is waited for."""


def _message(raw: Any) -> Message:
    facts = raw.metadata
    return Message(sequence=facts.sequence.stream, subject=raw.subject, published_at=facts.timestamp, data=raw.data)


def _word(name: str) -> str:
    """A name as a consumer may be called: without dots, spaces and stars."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def _matches(pattern: str, subject: str) -> bool:
    wanted, parts = pattern.split("."), subject.split(".")
    for place, word in enumerate(wanted):
        if word == ">":
            return len(parts) > place
        if place >= len(parts) or word not in ("*", parts[place]):
            return False
    return len(wanted) == len(parts)
