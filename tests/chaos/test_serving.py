"""A server under load while revisions move, traffic is split and taken back, and workers are killed.

No answer is wrong, no acknowledged prediction is lost or logged twice, and no request fails but those that a killed worker
held. `make soak` does it for five minutes at four fifths of what the server can do; TREADLE_CHAOS_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import psutil
import pytest

from tests.chaos.serving_load import ROWS, Load
from tests.systems.serve.models import Model, deploy, flights_model
from treadle.systems.serve.runtime.log import SegmentReader, segments_of
from treadle.systems.serve.supervisor import ServerProcess

CONNECTIONS = 12
WORKERS = 2
SHARE_OF_CAPACITY = 0.8


def models() -> dict[str, Model]:
    """Four models by their version, each with scores of its own."""
    return {str(seed): flights_model(numeric=True, seed=seed) for seed in range(1, 5)}


class Rollouts:
    """Moves the endpoint from one route to the next: another champion, a split for a canary, and the canary taken back."""

    def __init__(self, serving: Path, chance: random.Random) -> None:
        self.serving, self.chance, self.models = serving, chance, models()
        self.number, self.champion = 0, "1"
        self.canary: str | None = None

    def move(self) -> None:
        """The next route."""
        others = [version for version in self.models if version != self.champion]
        if self.canary is not None:
            if self.chance.random() < 0.3:  # else it is rolled back
                self.champion = self.canary
            self.canary = None
        elif self.chance.random() < 0.7:
            self.canary = self.chance.choice(others)
        else:
            self.champion = self.chance.choice(others)
        self.deploy()

    def deploy(self) -> None:
        self.number += 1
        versions = (self.champion,) if self.canary is None else (self.champion, self.canary)
        deploy(
            self.serving, "numbers", *(self.models[one] for one in versions), number=10 * self.number,
            weights=(1.0,) if self.canary is None else (0.9, 0.1), versions=versions,
        )  # fmt: skip


def listening(process: ServerProcess) -> list[psutil.Process]:
    """The workers that take connections; one that has just been started does not yet."""
    found = []
    for worker in psutil.Process(process.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if any(one.status == psutil.CONN_LISTEN for one in worker.net_connections("tcp")):
                found.append(worker)
    return found


def logged(serving: Path) -> list[tuple[str, float]]:
    """Every prediction in the logs of all workers, with its score."""
    found: list[tuple[str, float]] = []
    for folder in (serving / "predictions").iterdir():
        for path in segments_of(folder):
            reader = SegmentReader(path)
            for one in reader.calls():
                found += zip(one.call.prediction_ids, one.call.outputs()[:, 0].tolist(), strict=True)
            assert reader.damaged == []
    return found


async def stirred(load: Load, rollouts: Rollouts, process: ServerProcess, enough: Callable[[int, int], bool]) -> int:
    """Moves routes and kills workers between answers until it is enough; how many kills there were."""
    moves = kills = 0
    chance = rollouts.chance
    while not enough(moves, kills):
        reached = len(load.outcome.acknowledged) + chance.randrange(100, 2_000)
        while len(load.outcome.acknowledged) < reached and not load.outcome.problems:
            await asyncio.sleep(0.005)
        if load.outcome.problems:
            break
        alive = listening(process)
        if moves >= 2 * (kills + 1) and len(alive) == WORKERS:
            chance.choice(alive).send_signal(signal.SIGKILL)
            kills += 1
        else:
            rollouts.move()
            moves += 1
    load.is_over = True
    return kills


def survive(
    serving: Path, seed: int, calibrate_s: float, enough: Callable[[int, int], bool]
) -> tuple[Load, int, float]:
    """The load that was answered, the kills, and the share of capacity at which it ran."""
    rollouts = Rollouts(serving, random.Random(seed))
    rollouts.deploy()
    rows = np.random.default_rng(seed).normal(size=(ROWS, 3))
    scores = {
        version: np.asarray(lightgbm.Booster(model_str=model.content.decode()).predict(rows, num_threads=1))
        for version, model in rollouts.models.items()
    }
    process = ServerProcess.start(serving, arguments=("--workers", str(WORKERS)))
    try:
        load = Load(process.announcement.port, "/v2/models/numbers/infer", rows, scores)

        async def run() -> tuple[int, float]:
            capacity = await load.for_seconds(CONNECTIONS, calibrate_s)
            asked = asyncio.create_task(load.for_seconds(CONNECTIONS, 3600, SHARE_OF_CAPACITY * capacity))
            kills = await stirred(load, rollouts, process, enough)
            return kills, await asked / capacity

        kills, share = asyncio.run(run())
    finally:
        process.stop()
    return load, kills, share


def check(load: Load, kills: int, serving: Path) -> None:
    outcome = load.outcome
    assert outcome.problems == []
    assert outcome.cut <= kills * CONNECTIONS
    lines = logged(serving)
    found = dict(lines)
    assert len(found) == len(lines)
    assert {one: found.get(one) for one in outcome.acknowledged} == outcome.acknowledged


def test_routes_move_and_workers_die_and_no_answer_is_wrong_or_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("TREADLE_CHAOS_SEED") or random.SystemRandom().getrandbits(32))

    load, kills, _ = survive(tmp_path, seed, 0.3, lambda moves, kills: kills >= 2 and moves >= 5)

    check(load, kills, tmp_path)


@pytest.mark.soak
def test_five_minutes_at_four_fifths_of_capacity(tmp_path: Path) -> None:
    seed = int(os.environ.get("TREADLE_CHAOS_SEED", "7"))
    end = time.monotonic() + float(os.environ.get("TREADLE_SOAK_S", "300"))

    load, kills, share = survive(tmp_path, seed, 3.0, lambda moves, kills: time.monotonic() > end)

    print(
        f"{len(load.outcome.acknowledged)} predictions at {share:.2f} of capacity, {kills} kills, {load.outcome.cut} cut"
    )
    check(load, kills, tmp_path)
