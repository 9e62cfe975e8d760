"""Run as a program: lands a stream in a home, and dies by SIGKILL at the named point of its nth landing."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))
from tests.systems.collect.conftest import ADA, open_home
from treadle.systems.collect.connectors.nats import NatsSource


def main(folder: Path, url: str, stream: str, point: str, times: int) -> None:
    left = [times]

    def die_at(reached: str) -> None:
        left[0] -= reached == point
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    home = open_home(folder, at=die_at)
    source = NatsSource(url=url, stream=stream, max_messages=4, max_wait_s=0.2).open("events", folder)
    home.datasets.land(ADA, "events", source)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
