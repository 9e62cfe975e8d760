"""Run as a program: merges the branch `fix` of `numbers` in a home, and dies by SIGKILL at the named point."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from treadle.systems.collect.branching.records import MergeBranch

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.systems.collect.conftest import ADA, open_home


def main(folder: Path, point: str) -> None:
    def die_at(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    home = open_home(folder, at=die_at)
    home.branches.merge(ADA, MergeBranch(name="numbers", branch="fix", delete=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
