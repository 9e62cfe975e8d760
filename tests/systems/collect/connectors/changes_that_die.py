"""Run as a program: lands the changes of a table in a home, and dies by SIGKILL at the named point."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4]))
from tests.systems.collect.conftest import ADA, open_home
from treadle.systems.collect.connectors.postgres_changes import PostgresChangesSource


def main(folder: Path, url: str, point: str) -> None:
    def die_at(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    home = open_home(folder, at=die_at)
    home.datasets.land(ADA, "orders", PostgresChangesSource(url=url, table="orders").open("orders", folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
