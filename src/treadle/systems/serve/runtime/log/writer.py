"""Writing the prediction log: one `write()` a call, before the answer leaves; `fdatasync` in the background.

What `write()` has taken survives the death of this process at any moment: nothing acknowledged is lost on `kill -9`. A
power cut may take the last 50 ms, the stated bound. When the disk budget is used up, or the disk refuses, the request is
refused with 503: there is no prediction without its record. Calls that are answered in one turn of the event loop may be gathered and
written at once (`is_gathering`, `flush`): then their answers wait for that write. An operator for whom answers matter more may choose sampling:
from four fifths of the budget on, fewer and fewer calls are recorded, and those that are not are counted.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treadle.systems.serve.runtime.errors import LogFailed, LogFull
from treadle.systems.serve.runtime.log.places import ShippedPlace, segment_name
from treadle.systems.serve.runtime.log.records import CALL, CONTEXT, MAGIC, Call, Context, FrameBuffer

WhenFull = Literal["refuse", "sample"]

SAMPLE_FROM = 0.8
"""The share of the budget from which on, if sampling is chosen, not every call is recorded."""

SYNC_EVERY_S = 0.05
RECOUNT_EVERY_S = 1.0
_sync = getattr(os, "fdatasync", os.fsync)


@dataclass(slots=True)
class LogFigures:
    """Counts since this process started."""

    written_calls: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    synced_bytes: int = 0
    syncs: int = 0
    refused: int = 0
    """Requests refused because they could not be logged; none was answered."""
    dropped_rows: int = 0
    """Predictions answered without a record, because the budget was short and sampling was chosen."""
    shipped_bytes: int = 0
    """Of those written, how many a shipper has landed, seen a second ago at most."""
    segments: int = 0


class PredictionLog:
    """The log of one server process, in a folder of its own. `append` belongs to one thread; close() syncs and ends."""

    def __init__(
        self,
        folder: Path,
        *,
        budget_bytes: int = 8 << 30,
        segment_bytes: int = 64 << 20,
        segment_s: float = 3600.0,
        sync_every_s: float = SYNC_EVERY_S,
        when_full: WhenFull = "refuse",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.budget_bytes = folder, budget_bytes
        self.figures = LogFigures()
        self._segment_bytes, self._segment_s, self._sync_every_s = segment_bytes, segment_s, sync_every_s
        self._monotonic, self._when_full = monotonic, when_full
        self._shipped = ShippedPlace(folder)
        self._frames = FrameBuffer.empty()
        self._descriptor = -1
        self._at = 0
        self._opened_at = 0.0
        self._contexts: set[int] = set()
        self._retired: list[int] = []
        self._sizes: list[int] = []
        """Of the segments that are closed."""
        self._held_before = 0
        self.is_gathering = False
        """Whether `append` leaves the record to the next `flush`; whoever sets it lets no answer go before that."""
        self.gathered_calls = 0
        """Appended, and not written yet."""
        self._gathered_rows = 0
        self._loss: OSError | None = None
        """Why gathered records were lost before their flush: a call that was written at once, or a full segment, came first."""
        self._lost_calls = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _hold(folder)
        self._recount()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sync_until_stopped, name="prediction-log-sync", daemon=True)
        self._thread.start()

    # -- on the request's path --------------------------------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """What the logs of all servers of this serving area hold, counted anew every second."""
        return self._held_before + self.figures.written_bytes

    def admit(self) -> None:
        """Raises LogFull when the budget is used up; asked before a model is called."""
        if self._held_before + self.figures.written_bytes >= self.budget_bytes and self._when_full == "refuse":
            self.figures.refused += 1
            raise LogFull(
                f"The prediction log holds its budget of {self.budget_bytes} bytes.",
                why="No prediction is answered without its record.",
                fix="Ship the log (treadle up does), raise the server's budget, or let it sample (--log-when-full sample).",
            )

    def append(self, context: Context, call: Call) -> None:
        """Returns when the operating system has the record, or when it is gathered for `flush`. Raises LogFailed, and then
        nothing of it is in the log.

        Where sampling was chosen and the budget is short, it may be counted instead.
        """
        if self._when_full == "sample" and not self._is_kept(call):
            self.figures.dropped_rows += call.rows
            return
        try:
            if self._descriptor < 0 or self._is_full():
                self._write_gathered()
                self._roll()
            if self.is_gathering:
                self._gather(context, call)
                return
            self._write_gathered()
            if context.number not in self._contexts:
                self._write(self._frames.frame(CONTEXT, context))
                self._contexts.add(context.number)
            self._write(self._frames.frame(CALL, call))
        except OSError as error:
            raise self._failed(error, 1) from None
        self._count(1, call.rows)

    def flush(self) -> None:
        """Writes what was gathered, at once. Raises LogFailed, and then nothing that was gathered since the last flush is
        acknowledged: where a part of it was lost on the way, the rest is not written either."""
        if self._loss is None:
            with contextlib.suppress(OSError):  # which is the loss
                self._write_gathered()
        if self._loss is not None:
            loss, calls = self._loss, self._lost_calls + self.gathered_calls
            self._frames.taken().release()
            self._contexts.clear()
            self._loss, self._lost_calls, self.gathered_calls, self._gathered_rows = None, 0, 0, 0
            raise self._failed(loss, calls) from None

    def _gather(self, context: Context, call: Call) -> None:
        if context.number not in self._contexts:
            self._frames.gather(CONTEXT, context)
            self._contexts.add(context.number)
        self._frames.gather(CALL, call)
        self.gathered_calls += 1
        self._gathered_rows += call.rows

    def _write_gathered(self) -> None:
        if not self.gathered_calls:
            return
        calls, rows = self.gathered_calls, self._gathered_rows
        self.gathered_calls = self._gathered_rows = 0
        try:
            self._write(self._frames.taken())
        except OSError as error:
            self._contexts.clear()  # some of them may have been among what is lost
            self._loss, self._lost_calls = error, self._lost_calls + calls
            raise
        self._count(calls, rows)

    def _count(self, calls: int, rows: int) -> None:
        figures = self.figures
        figures.written_calls += calls
        figures.written_rows += rows

    def _failed(self, error: OSError, calls: int) -> LogFailed:
        self.figures.refused += calls
        return LogFailed(
            f"The prediction log cannot be written: {error.strerror or error}.",
            why="No prediction is answered without its record.",
            fix=f"Make room on the disk of {self.folder.name}, or ship the log.",
        )

    def _is_kept(self, call: Call) -> bool:
        """Chance, by the call's id, that falls from one at four fifths of the budget to zero at all of it."""
        left = (1.0 - self.held_bytes / self.budget_bytes) / (1.0 - SAMPLE_FROM)
        return left >= 1.0 or zlib.crc32(call.first_id) < left * 2**32

    def _write(self, frame: memoryview) -> None:
        length = len(frame)
        try:
            written = os.write(self._descriptor, frame)
            while written < length:
                written += os.write(self._descriptor, frame[written:])
        except OSError:
            self._cut()
            raise
        finally:
            frame.release()
        self._at += length
        self.figures.written_bytes += length

    def _cut(self) -> None:
        """Takes a half-written frame back; where even that fails, the segment is left and its torn tail is cut on read."""
        try:
            os.ftruncate(self._descriptor, self._at)
            os.lseek(self._descriptor, self._at, os.SEEK_SET)
        except OSError:
            self._retire()

    def _is_full(self) -> bool:
        return self._at >= self._segment_bytes or self._monotonic() - self._opened_at >= self._segment_s

    def _roll(self) -> None:
        self._retire()
        path = self.folder / segment_name(self.figures.segments + 1)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self.figures.segments += 1
        self._at, self._opened_at = 0, self._monotonic()
        self._write(memoryview(MAGIC))

    def _retire(self) -> None:
        if self._descriptor >= 0:
            self._retired.append(self._descriptor)
            self._sizes.append(self._at)
        self._descriptor = -1
        self._contexts = set()

    # -- in the background ------------------------------------------------------------------------------------------

    def _sync_until_stopped(self) -> None:
        recounted_at = self._monotonic()
        while not self._stop.wait(self._sync_every_s):
            with contextlib.suppress(OSError):
                self._sync_once()
            if self._monotonic() - recounted_at >= RECOUNT_EVERY_S:
                recounted_at = self._monotonic()
                self._recount()

    def _sync_once(self) -> None:
        """Only this thread closes descriptors, so the one that it syncs cannot be another file by now."""
        figures = self.figures
        reached, current = figures.written_bytes, self._descriptor
        while self._retired:
            _sync(self._retired[0])
            os.close(self._retired.pop(0))
        if reached > figures.synced_bytes:
            if current >= 0 and current not in self._retired:
                _sync(current)
            figures.synced_bytes = reached
            figures.syncs += 1

    def _recount(self) -> None:
        written = self.figures.written_bytes
        total = 0
        for path in self.folder.parent.glob("*/*.seg"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        self._held_before = max(0, total - written)
        self.figures.shipped_bytes = self._shipped.bytes_of(self._sizes, written)

    def close(self) -> None:
        """Syncs everything and lets the folder go. No append may follow."""
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._write_gathered()
        self._retire()
        with contextlib.suppress(OSError):
            self._sync_once()
        self.figures.synced_bytes = self.figures.written_bytes
        os.close(self._lock)


def _hold(folder: Path) -> int:
    """A lock file held while this process lives: the shipper deletes no folder of a living server."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def is_held(folder: Path) -> bool:
    """Whether the server that writes into this folder lives."""
    import fcntl

    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
