"""A process that brings a store in until it is killed, and says each batch of runs that stands."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.systems.train.moving.fakes import workspace


def main() -> None:
    home, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with workspace(home) as found:
        store = found.tracking.moving.open(str(folder / "mlflow.db"), [folder / "artifacts"])
        found.tracking.moving.bring(
            found.caller, store, is_dry_run=False, progress=lambda kind, done, _: print(kind, done, flush=True)
        )


if __name__ == "__main__":
    main()
