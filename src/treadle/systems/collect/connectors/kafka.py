"""Topics of Kafka, and of what speaks its protocol, in small batches, each message landed exactly once.

The cursor holds the next offset of every partition, and stands in the landing's own transaction. Partitions are read from there
by assignment, without a consumer group, so no rebalance and no committed offset of the broker's can move them; with `group`, offsets
are committed after the landing for those who watch the lag, and never read back.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from treadle.ground.errors import MissingExtra
from treadle.systems.collect.connectors.credentials import redacted, revealed
from treadle.systems.collect.connectors.errors import PositionLost, SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.limits import Count, Seconds
from treadle.systems.collect.connectors.looking import Look
from treadle.systems.collect.connectors.loop_thread import LoopThread
from treadle.systems.collect.connectors.messages import Message, MessageFormat, rows_of
from treadle.systems.collect.connectors.steps import Known, Step, SteppedSource

try:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka import errors as kafka_errors
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("aiokafka", "kafka", "Reading from Kafka") from error

T = TypeVar("T")
PARTITION, KEY = "_partition", "_key"
_REFUSED = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.AuthenticationFailedError,
    kafka_errors.UnknownTopicOrPartitionError,
    kafka_errors.UnsupportedVersionError,
    kafka_errors.IllegalArgumentError,
)


class KafkaSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a topic is declared with.

    servers: `host:port`, several with commas. A batch is whole with max_messages, max_bytes, or when no message came for
    max_wait_s. start: where a partition begins that has no cursor. on_gap: what to do when the topic has dropped messages after
    the cursor. isolation: whether messages of transactions that were given up are left out.
    """

    servers: str
    topic: str
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    group: str | None = None
    format: MessageFormat = "json"
    malformed: Literal["refuse", "quarantine"] = "refuse"
    start: Literal["earliest", "latest"] = "earliest"
    on_gap: Literal["refuse", "skip"] = "refuse"
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    max_messages: Count = 10_000
    max_bytes: Count = 16 << 20
    max_wait_s: Seconds = 0.5
    timeout_s: Seconds = 30.0

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> SteppedSource:
        """The source. Nothing connects before it is read."""
        return SteppedSource(name, TopicReader(self, root), types)


class _At(msgspec.Struct, frozen=True):
    """The next offset by partition. JSON has text for keys."""

    offsets: dict[str, int]


class TopicReader:
    """Reads a topic from where it stands up to what it held when the run began."""

    def __init__(self, asked: KafkaSource, root: Path) -> None:
        self._asked, self._root = asked, root

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        before = {} if at is None else {int(p): o for p, o in msgspec.convert(at, _At).offsets.items()}
        with LoopThread("treadle-kafka") as loop:
            consumer = self._try(loop, self._connect())
            try:
                yield from self._read(loop, consumer, before, is_first=at is None)
            finally:
                self._try(loop, consumer.stop())

    def look(self, rows: int) -> Look:
        """Some messages that the topic still has; nothing is committed."""
        with LoopThread("treadle-kafka") as loop:
            consumer = self._try(loop, self._connect())
            try:
                begin, end = self._try(loop, self._bounds(consumer))
                self._try(loop, _place(consumer, self._asked.topic, begin))
                messages = self._try(loop, self._batch(consumer, end, rows)) if begin != end else []
            finally:
                self._try(loop, consumer.stop())
        frame, broken = rows_of(messages, self._asked.format, "quarantine")
        return Look(frame=frame, notes=[f"offset {line.row} is no row: {line.reason}" for line in broken])

    def _read(self, loop: LoopThread, consumer: Any, before: dict[int, int], *, is_first: bool) -> Iterator[Step]:
        asked = self._asked
        begin, end = self._try(loop, self._bounds(consumer))
        fresh = end if is_first and asked.start == "latest" else begin
        self._check(before, begin, end)
        positions = {p: max(before[p], begin[p]) if p in before else fresh[p] for p in begin}
        self._try(loop, _place(consumer, asked.topic, positions))
        if is_first and fresh is end:  # where it began is said at once, or what comes next would be left out again
            yield Step(frames=(), at=_at(positions), origin=self._origin(before, positions))
        while any(positions[p] < end[p] for p in end):
            messages = self._try(loop, self._batch(consumer, end, asked.max_messages))
            after = self._try(loop, _positions(consumer, asked.topic, positions))
            if after == positions:
                return  # the rest is not handed over now: the next run goes on here
            if messages:
                frame, broken = rows_of(messages, asked.format, asked.malformed)
                origin = self._origin(positions, after)
                yield Step(frames=[frame], at=_at(after), origin=origin, malformed=broken)
            positions = after
            if asked.group is not None:
                offsets = {TopicPartition(asked.topic, p): offset for p, offset in positions.items()}
                self._try(loop, consumer.commit(offsets))

    def _check(self, before: Mapping[int, int], begin: Mapping[int, int], end: Mapping[int, int]) -> None:
        for partition, offset in before.items():
            if partition not in end or offset > end[partition]:
                raise PositionLost(
                    f"Partition {partition} of {self._asked.topic!r} does not reach offset {offset:,}, which has landed.",
                    why="The topic was deleted and made anew, or the broker lost messages.",
                    fix="Declare the new topic as a source of another name.",
                )
            missing = begin[partition] - offset
            if missing > 0 and self._asked.on_gap == "refuse":
                raise PositionLost(
                    f"Partition {partition} of {self._asked.topic!r} has dropped {missing:,} messages that had not landed.",
                    why=f"The next one would be {offset:,}; the partition begins at {begin[partition]:,}.",
                    fix="Keep messages longer or run the source more often. To go on without them: on_gap = 'skip'.",
                )

    def _origin(self, before: Mapping[int, int], after: Mapping[int, int]) -> dict[str, Any]:
        moved = {str(p): [before.get(p, 0), offset] for p, offset in after.items() if offset != before.get(p)}
        return {"servers": self._asked.servers, "topic": self._asked.topic, "offsets": moved}

    async def _connect(self) -> Any:
        asked = self._asked
        given: dict[str, Any] = {}
        if asked.security.startswith("SASL"):
            given |= {"sasl_mechanism": asked.mechanism, "sasl_plain_username": asked.user or ""}
            given["sasl_plain_password"] = revealed(asked.password) or ""
        if asked.security.endswith("SSL"):
            ca = None if asked.ca_file is None else str(self._root / asked.ca_file)
            given["ssl_context"] = ssl.create_default_context(cafile=ca)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=asked.servers.split(","),
            security_protocol=asked.security,
            group_id=asked.group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=asked.isolation,
            request_timeout_ms=int(asked.timeout_s * 1000),
            client_id="treadle",
            **given,
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def _bounds(self, consumer: Any) -> tuple[dict[int, int], dict[int, int]]:
        """The first offset and the one after the last, by partition."""
        topic = self._asked.topic
        if topic not in await consumer.topics():
            raise kafka_errors.UnknownTopicOrPartitionError(topic)
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        begin, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return {tp.partition: int(at) for tp, at in begin.items()}, {tp.partition: int(at) for tp, at in end.items()}

    async def _batch(self, consumer: Any, end: Mapping[int, int], most: int) -> list[Message]:
        """Messages until the batch is whole, those of a partition in their order."""
        asked, size = self._asked, 0
        batch: list[Message] = []
        until = time.monotonic() + asked.timeout_s
        while len(batch) < most and size < asked.max_bytes and time.monotonic() < until:
            found = await consumer.getmany(timeout_ms=int(asked.max_wait_s * 1000), max_records=most - len(batch))
            for raw in (one for records in found.values() for one in records):
                batch.append(_message(raw))
                size += len(raw.value or b"")
            reached = await _positions(consumer, asked.topic, end)
            if (batch and not found) or all(reached[p] >= end[p] for p in end):
                break
        return sorted(batch, key=lambda message: (message.extra[0][1], message.sequence))

    def _try(self, loop: LoopThread, work: Coroutine[Any, Any, T]) -> T:
        where = f"{self._asked.servers}, topic {self._asked.topic!r}"
        try:
            return loop.run(work)
        except _REFUSED as error:
            raise SourceRefused(
                f"{where}: {redacted(str(error) or type(error).__name__)}.",
                fix="Is the topic's name right, and may this user read it?",
            ) from error
        except (kafka_errors.KafkaError, OSError) as error:
            raise SourceUnreachable(
                f"{where} does not answer: {redacted(str(error) or type(error).__name__)}.",
                fix="Are the servers up, and is `security` what they ask for?",
            ) from error


def _at(positions: Mapping[int, int]) -> Any:
    return {"offsets": {str(partition): offset for partition, offset in positions.items()}}


async def _place(consumer: Any, topic: str, positions: Mapping[int, int]) -> None:
    consumer.assign([TopicPartition(topic, partition) for partition in positions])
    for partition, offset in positions.items():
        consumer.seek(TopicPartition(topic, partition), offset)


async def _positions(consumer: Any, topic: str, partitions: Mapping[int, int]) -> dict[int, int]:
    """Where the consumer stands: behind the last message handed over, and behind markers of transactions."""
    return {partition: await consumer.position(TopicPartition(topic, partition)) for partition in partitions}


def _message(raw: Any) -> Message:
    key = None if raw.key is None else raw.key.decode("utf-8", "backslashreplace")
    return Message(
        sequence=raw.offset,
        subject=raw.topic,
        published_at=datetime.fromtimestamp(max(raw.timestamp, 0) / 1000, UTC),
        data=raw.value,
        extra=((PARTITION, raw.partition), (KEY, key)),
    )
