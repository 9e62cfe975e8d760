"""A campaign: pipelines are run, killed, resumed in a fresh process, killed again, until so many kills have hit.

    python -m tests.chaos.campaign --home DIR [--store URL] --kills 100 --seed 7

This process imports everything, opens nothing, and forks: each life is a process of its own that opens the store as a
fresh one would, for the price of milliseconds. Prints a report as JSON; exit status 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import dying, house, inspection, marathon, witness
from tests.chaos.dying import NATURAL, Manner

try:
    import psycopg  # noqa: F401 -- before the fork

    import treadle.backends.postgres  # noqa: F401
except ImportError:
    pass

LIVES_PER_RUN = 40
LIFE_LIMIT_S = 60
WORKER_SHOTS = 6


@dataclass(slots=True)
class Report:
    """What a campaign came to."""

    seed: int
    kills: dict[str, int] = field(default_factory=dict)
    lives: int = 0
    runs: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    def killed(self, kind: str, count: int = 1) -> None:
        self.kills[kind] = self.kills.get(kind, 0) + count


class Campaign:
    """See the module."""

    def __init__(self, home: Path, url: str, seed: int) -> None:
        self.home, self.url, self.seed = home, url, seed
        self.witness = home / "witness"
        os.environ[witness.VARIABLE] = str(self.witness)
        self.rng = random.Random(seed)
        self.report = Report(seed)
        self.spans: dict[str, tuple[float, int]] = {}
        self.story: list[str] = []

    def wage(self, kills: int, *, pool_share: float = 0.12) -> Report:
        """Kills until so many have hit."""
        began = time.monotonic()
        self._prepare()
        n = 2
        while self.report.total < kills and not self.report.problems:
            executor = "pool" if self.rng.random() < pool_share else "inprocess"
            self._survive(n, executor)
            n += 1
        self.report.runs = n
        self._inspect_the_end()
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    def _prepare(self) -> None:
        """The first champion; then one life each that nobody disturbs, to know how long a life is."""
        self._live(0, None, NATURAL, prepare=True)
        for n, executor in ((0, "inprocess"), (1, "pool")):
            self._survive(n, executor, spare=True)

    def _survive(self, n: int, executor: str, *, spare: bool = False) -> None:
        """One run from its first life to its end."""
        self.story = []
        run: str | None = None
        for life in range(LIVES_PER_RUN):
            manner = NATURAL if spare or life > LIVES_PER_RUN - 5 else self._choose(executor, life)
            if spare:
                manner = Manner("measured", 0, executor)
            outcome = self._live(n, run, manner)
            self.story.append(f"life {life}: {manner} -> {outcome.get('status', 'killed')}")
            run = outcome.get("run", run)
            if self.report.problems:
                return
            if outcome.get("status") == "done":
                self._check_value(n, outcome)
                return
        self._problem(f"the run {run} of {n} was not done after {LIVES_PER_RUN} lives")

    def _choose(self, executor: str, life: int) -> Manner:
        """The first life of a run may end anywhere; the later ones have less to do, and end earlier."""
        seconds, calls = self.spans[executor]
        share = self.rng.random() ** (1 + life / 2)
        seed = self.rng.getrandbits(32)
        chance = self.rng.random()
        if executor == "pool" and chance < 0.4:
            return Manner("workers", WORKER_SHOTS, executor, seed)
        if chance < 0.7:
            return Manner("at-call", 1 + int(share * calls), executor, seed)
        return Manner("after", share * seconds * 1.05 * 1000, executor, seed)

    def _live(self, n: int, run: str | None, manner: Manner, *, prepare: bool = False) -> dict[str, Any]:
        """One life; what it told before it ended."""
        self.report.lives += 1
        read, write = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _be_born(self, n, run, manner, write, prepare)
        os.close(write)
        told = self._listen(pid, read, manner)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL and manner.kind in ("after", "at-call"):
            self.report.killed(f"{manner.kind} {manner.executor}")
        elif code != 0:
            self._problem(f"a life ended with status {code}: {told.get('error', '')}")
        if told.get("hits"):
            self.report.killed("workers", told["hits"])
        if "span" in told:
            self.spans[manner.executor] = (told["span"], told["calls"])
        for problem in told.get("problems", []):
            self._problem(problem)
        return told

    def _listen(self, pid: int, read: int, manner: Manner) -> dict[str, Any]:
        """Merges what the life tells, line by line; kills it when its time has come."""
        told: dict[str, Any] = {}
        rest = b""
        deadline = time.monotonic() + LIFE_LIMIT_S
        with open(read, "rb", buffering=0) as stream:
            while True:
                ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    os.kill(pid, signal.SIGKILL)
                    if manner.kind != "after":
                        self._problem(f"a life ({manner}) did not end within {LIFE_LIMIT_S} s")
                    deadline = time.monotonic() + LIFE_LIMIT_S
                    continue
                data = stream.read(1 << 16)
                if not data:
                    return told
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    told |= json.loads(line)
                    if "working" in told and manner.kind == "after":
                        deadline = told["working"] + manner.place / 1000

    def _check_value(self, n: int, outcome: dict[str, Any]) -> None:
        if outcome.get("value") != marathon.expected(n):
            self._problem(f"the run of {n} came to {outcome.get('value')}, not {marathon.expected(n)}")

    def _inspect_the_end(self) -> None:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            _inspect(self, write)
        os.close(write)
        told = self._listen(pid, read, NATURAL)
        os.waitpid(pid, 0)
        for problem in told.get("problems", [told.get("error", "the last inspection did not end")]):
            self._problem(problem)
        self.report.summary = told.get("summary", {})
        for pid in witness.pids(self.witness):
            if not _is_gone(pid):
                self._problem(f"the process {pid} outlives its campaign")

    def _problem(self, what: str) -> None:
        self.report.problems.append(what + "".join(f"\n    {line}" for line in self.story))


def _be_born(campaign: Campaign, n: int, run: str | None, manner: Manner, write: int, prepare: bool) -> None:
    """The child's side: never returns."""
    told = _Teller(write)
    status = 0
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        home = house.use(house.House(campaign.home, campaign.url))
        if prepare:
            home.prepare()
        else:
            told(problems=inspection.problems_of(home, campaign.witness))
            _work(home, n, run, manner, told)
        home.close()
    except BaseException:
        told(error=traceback.format_exc())
        status = 1
    finally:
        os._exit(status)


def _work(home: house.House, n: int, run: str | None, manner: Manner, told: _Teller) -> None:
    if run is None:
        run = _begun(home, n)
    home.notice_begin = lambda: told(working=time.monotonic())
    began = time.monotonic()
    told(working=began)
    if manner.kind == "workers":
        with dying.Sniper(home.engine.executor("pool"), manner.seed, int(manner.place), 0.1) as sniper:
            ended = _drive(home, n, run, manner)
        told(hits=sniper.hits)
    elif manner.kind in ("at-call", "measured"):
        with dying.Seams(int(manner.place)) as seams:
            ended = _drive(home, n, run, manner)
            while manner.kind == "measured" and ended.status == "waiting":
                ended = _drive(home, n, ended.id, manner)
        if manner.kind == "measured":
            told(span=time.monotonic() - began, calls=seams.count)
    else:
        ended = _drive(home, n, run, manner)
    if ended.status == "done":
        witness.say("finished", ended.id)
        told(run=ended.id, status=ended.status, value=ended.value)
        return
    told(run=ended.id, status=ended.status)
    if ended.status not in ("waiting", "failed"):
        raise AssertionError(f"the run is {ended.status}: {ended.error!r}")
    if ended.status == "failed" and manner.kind != "workers":
        raise AssertionError("the run has failed") from ended.error


def _drive(home: house.House, n: int, run: str | None, manner: Manner) -> Any:
    executor = manner.executor
    if run is None:
        return home.engine.run(marathon.marathon, {"n": n}, executor=executor)
    return home.engine.resume(run, marathon.marathon, executor=executor)


def _begun(home: house.House, n: int) -> str | None:
    """The run that an earlier life has begun and could not tell of."""
    found = home.rows("select id from run where parent is null and kind = 'pipeline' and params = :p", p=f'{{"n":{n}}}')
    return found[0][0] if found else None


def _inspect(campaign: Campaign, write: int) -> None:
    told = _Teller(write)
    try:
        home = house.use(house.House(campaign.home, campaign.url))
        told(problems=inspection.problems_of(home, campaign.witness, at_the_end=True), summary=inspection.summary(home))
        home.close()
    except BaseException:
        told(error=traceback.format_exc())
    finally:
        os._exit(0)


class _Teller:
    """Tells the campaign: one write a line."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, **facts: Any) -> None:
        os.write(self._fd, (json.dumps(facts, default=str) + "\n").encode())


def _is_gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends within a while."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        return bool(select.select([fd], [], [], within_s)[0])
    finally:
        os.close(fd)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=None, help="an empty folder; a temporary one when not given")
    parser.add_argument("--store", default="", help="a postgresql:// URL; an SQLite file in the home when not given")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if chosen.seed is None else chosen.seed
    with tempfile.TemporaryDirectory(prefix="treadle-chaos-") as folder:
        home = chosen.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        report = Campaign(home, chosen.store, seed).wage(chosen.kills)
    print(json.dumps(asdict(report)))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
