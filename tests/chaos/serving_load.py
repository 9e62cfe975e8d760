"""A load on a model server at a steady rate, whose every answer is checked against the model that it names."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

ROWS = 32
"""Different rows that are asked about."""


@dataclass(slots=True)
class Outcome:
    """What a load came to."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    """The score of each prediction whose answer came whole."""
    cut: int = 0
    """Requests whose connection ended before their answer."""
    problems: list[str] = field(default_factory=list)


async def _closed(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
    if stream is not None:
        stream[1].close()
        with contextlib.suppress(ConnectionError):
            await stream[1].wait_closed()


@dataclass(slots=True)
class Load:
    """Connections that ask one request after the other. scores: by model version, what each row must be answered."""

    port: int
    path: str
    rows: NDArray[np.float64]
    scores: dict[str, NDArray[np.float64]]
    outcome: Outcome = field(default_factory=Outcome)
    is_over: bool = False

    async def for_seconds(self, connections: int, seconds: float, rate: float | None = None) -> float:
        """Asks for so long; answers a second. rate: requests a second of all connections together; None: as fast as it goes."""
        before, began = len(self.outcome.acknowledged), time.perf_counter()
        asking = [
            asyncio.create_task(self._ask(place, connections, began + seconds, rate)) for place in range(connections)
        ]
        await asyncio.gather(*asking)
        return (len(self.outcome.acknowledged) - before) / (time.perf_counter() - began)

    async def _ask(self, place: int, connections: int, end: float, rate: float | None) -> None:
        pause = 0.0 if rate is None else connections / rate
        due, count = time.perf_counter() + pause * place / connections, place
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while time.perf_counter() < end and not self.is_over:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due += pause
            count += 1
            row = count % ROWS
            try:
                if stream is None:
                    stream = await asyncio.open_connection("127.0.0.1", self.port)
                await self._once(stream, row)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.outcome.cut += 1
                await _closed(stream)
                stream = None
        await _closed(stream)

    async def _once(self, stream: tuple[asyncio.StreamReader, asyncio.StreamWriter], row: int) -> None:
        reader, writer = stream
        tensor = {
            "name": "input",
            "shape": [1, self.rows.shape[1]],
            "datatype": "FP64",
            "data": self.rows[row].tolist(),
        }
        body = json.dumps({"inputs": [tensor]}).encode()
        writer.write(
            b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n%b"
            % (self.path.encode(), len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length: ") + 16
        answer = await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        if not head.startswith(b"HTTP/1.1 200"):
            self.outcome.problems.append(f"{head[:40]!r} {answer[:200]!r}")
            return
        self._check(msgspec.json.decode(answer), row)

    def _check(self, answer: dict[str, object], row: int) -> None:
        outputs = {one["name"]: one["data"] for one in answer["outputs"]}  # type: ignore[attr-defined, index]
        version, [score], [identity] = str(answer["model_version"]), outputs["probability"], outputs["prediction_id"]
        if abs(score - self.scores[version][row]) > 1e-9:
            self.outcome.problems.append(
                f"version {version} says {score} of row {row}, not {self.scores[version][row]}"
            )
        if identity in self.outcome.acknowledged:
            self.outcome.problems.append(f"{identity} was given twice")
        self.outcome.acknowledged[identity] = score
