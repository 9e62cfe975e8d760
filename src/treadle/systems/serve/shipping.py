"""Shipping the prediction log: from segments into the endpoint's dataset, each call once.

A round first writes down how far it will go, then lands, then writes down that it has. A round that died in between is
done again over the very same records with the very same landing ids, which the sink knows by then. So records are landed
at least once and counted once, whatever is killed. Segments that are wholly landed and will not grow are deleted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from treadle.ground.digests import of_json
from treadle.systems.serve.ports import PredictionSink
from treadle.systems.serve.prediction_tables import Layout, layout_of, prediction_table
from treadle.systems.serve.records import Shipped
from treadle.systems.serve.runtime.log import LoggedCall, Position, SegmentReader, segments_of
from treadle.systems.serve.runtime.log.places import STATE_FILE, Place
from treadle.systems.serve.runtime.log.writer import is_held


class _State(msgspec.Struct, kw_only=True):
    """`done` is landed; `until` is where a round goes that may not have ended."""

    done: dict[str, Place] = {}
    until: dict[str, Place] | None = None


@dataclass(slots=True)
class _Gathered:
    calls: list[LoggedCall] = field(default_factory=list)
    rows: int = 0
    reached: dict[str, Place] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


class PredictionShipper:
    """Ships the logs of one serving area. Safe beside the servers, and beside another shipper, which waits."""

    def __init__(self, serving: Path, sink: PredictionSink, *, rows_at_once: int = 100_000) -> None:
        self._predictions, self._sink, self._rows_at_once = serving / "predictions", sink, rows_at_once

    def ship(self) -> Shipped:
        """What was landed: everything that was acknowledged before this was called."""
        if not self._predictions.is_dir():
            return Shipped()
        with self._only_shipper():
            state = self._read_state()
            calls = rows = landings = 0
            damaged: list[str] = []
            while True:
                gathered = self._gather(state)
                damaged += gathered.damaged
                if gathered.calls:
                    state.until = gathered.reached
                    self._write_state(state)
                    landings += self._land(state, gathered.calls)
                    calls, rows = calls + len(gathered.calls), rows + gathered.rows
                again = bool(gathered.calls) or state.until is not None
                state.done, state.until = {**state.done, **gathered.reached}, None
                if again:
                    self._write_state(state)
                else:
                    break
            removed, torn = self._remove_finished(state)
        return Shipped(
            calls=calls, rows=rows, landings=landings, torn_bytes=torn, damaged=damaged, removed_segments=removed
        )

    # -- gathering --------------------------------------------------------------------------------------------------

    def _gather(self, state: _State) -> _Gathered:
        """The next calls: exactly those of an unfinished round, else as many as one landing takes."""
        gathered = _Gathered()
        for folder in self._servers():
            start = state.done.get(folder.name, Place("", 0))
            until = None if state.until is None else state.until.get(folder.name, start)
            self._gather_server(folder, start, until, gathered)
            if state.until is None and gathered.rows >= self._rows_at_once:
                break
        return gathered

    def _gather_server(self, folder: Path, start: Place, until: Place | None, gathered: _Gathered) -> None:
        for path in segments_of(folder):
            if path.name < start.segment:
                continue
            offset = start.offset if path.name == start.segment else 0
            reader = SegmentReader(path)
            for logged in reader.calls(offset):
                if until is not None and Position(path.name, logged.end) > Position(until.segment, until.offset):
                    return
                gathered.calls.append(logged)
                gathered.rows += logged.call.rows
                gathered.reached[folder.name] = Place(path.name, logged.end)
                if until is None and gathered.rows >= self._rows_at_once:
                    return
            gathered.damaged += [f"{folder.name}/{path.name}@{at}" for at in reader.damaged]

    def _land(self, state: _State, calls: list[LoggedCall]) -> int:
        """One landing for each endpoint and layout of inputs; its id says which records it holds."""
        groups: dict[Layout, list[LoggedCall]] = {}
        for logged in calls:
            groups.setdefault(layout_of(logged), []).append(logged)
        for layout, members in groups.items():
            key = of_json([state.done, state.until, asdict(layout)])
            landing = f"{layout.kind}-{key.removeprefix('sha256:')[:40]}"
            self._sink.land(layout.endpoint, prediction_table(members), landing, layout.kind)
        return len(groups)

    # -- what is left -----------------------------------------------------------------------------------------------

    def _remove_finished(self, state: _State) -> tuple[int, int]:
        """Deletes segments that are landed to their end and will not grow; (how many, bytes of torn tails)."""
        removed = torn = 0
        for folder in self._servers():
            living = is_held(folder)
            segments = segments_of(folder)
            for path in segments:
                if living and path is segments[-1]:
                    break
                ending = _ending(path)
                if ending is None or ending[0] > self._landed(state, folder.name, path.name):
                    break
                torn += ending[1]
                path.unlink()
                removed += 1
            if not living and not segments_of(folder):
                (folder / "lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()
        return removed, torn

    def _landed(self, state: _State, server: str, segment: str) -> int:
        done = state.done.get(server)
        if done is None or done.segment < segment:
            return 0
        return done.offset if done.segment == segment else 1 << 62

    def _servers(self) -> Iterator[Path]:
        return iter(sorted(path for path in self._predictions.iterdir() if path.is_dir()))

    # -- how far we are ---------------------------------------------------------------------------------------------

    def _read_state(self) -> _State:
        try:
            return msgspec.json.decode((self._predictions / STATE_FILE).read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()

    def _write_state(self, state: _State) -> None:
        state.done = {name: place for name, place in state.done.items() if (self._predictions / name).is_dir()}
        aside = self._predictions / ".shipped.json"
        with aside.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._predictions / STATE_FILE)

    @contextlib.contextmanager
    def _only_shipper(self) -> Iterator[None]:
        import fcntl

        descriptor = os.open(self._predictions / "shipping.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _ending(path: Path) -> tuple[int, int] | None:
    """(where the last call of a segment ends, bytes of its torn tail); None for a damaged one, which is kept."""
    reader = SegmentReader(path)
    last = 0
    for logged in reader.calls():
        last = logged.end
    return None if reader.damaged else (last, reader.torn_bytes)
