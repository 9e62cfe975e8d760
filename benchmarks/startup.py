"""What does it cost to begin? `import treadle` below 4 starts of a bare interpreter, `treadle --help` below 12.

Every start is a process of its own with compiled modules, as all starts after the first one have them; the median counts.

    python benchmarks/startup.py [--repeat 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

TREADLE = str(Path(sys.executable).with_name("treadle"))
BASELINE = "bare interpreter"
STARTS = {
    BASELINE: [sys.executable, "-c", "pass"],
    "import treadle": [sys.executable, "-c", "import treadle"],
    "treadle --help": [TREADLE, "--help"],
    "treadle --version": [TREADLE, "--version"],
    "treadle config show": [TREADLE, "config", "show"],
}
LIMITS = {"import treadle": 4.0, "treadle --help": 12.0}


def median_start_s(command: list[str], repeat: int) -> float:
    """The median time from start to end of a process; the first two write compiled modules and do not count."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(repeat + 2):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[2:])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    seconds = {name: median_start_s(command, options.repeat) for name, command in STARTS.items()}
    ratios = {name: taken / seconds[BASELINE] for name, taken in seconds.items()}
    broken = [name for name, limit in LIMITS.items() if ratios[name] >= limit]

    if options.json:
        rounded = {name: round(ratio, 2) for name, ratio in ratios.items()}
        print(
            json.dumps({"seconds": seconds, "ratio_to_bare_interpreter": rounded, "limits": LIMITS, "broken": broken})
        )
    else:
        for name, taken in seconds.items():
            limit = f"  (below {LIMITS[name]:g}{': NOT KEPT' if name in broken else ''})" if name in LIMITS else ""
            print(f"{taken * 1000:8.1f} ms  {ratios[name]:5.1f}x  {name}{limit}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
