"""What does it cost to know that nothing has changed? Fingerprints of a generated project, cold and warm.

    python benchmarks/code_digest.py [--json] [--steps N] [--lines N]

The project: `--steps` steps in files of about `--lines` lines, each step with helpers in its own and in another file, a
class, constants and two distributions. Cold is a step's first fingerprint in a fresh process; warm is asking again. The
baseline, measured in the same run, is sha256 over the step's own source by `inspect.getsource`: what caches that see
the body alone pay. Also printed: the capture of the environment, an observation of nothing, and a bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MODULE = '''import msgspec
import numpy as np

from rates import Rates, scale

LIMIT = {number}
NAMES = {{"a": [1, 2], "b": ("x", {number})}}


def cut(rows):
    """Takes the first ones."""
    return rows[:LIMIT]


def tidy(rows, threshold=LIMIT):
    """What the step does."""
    kept = [scale(each) for each in cut(rows) if each > threshold]
    return np.asarray(kept) * Rates(2).double, msgspec.json.encode(NAMES)


'''
FILLER = '''def filler_{number}(a, b=2):
    """Code of the same file that no step reaches."""
    total = sum(each * b for each in a if each is not None)
    return {{"total": total, "mean": total / max(len(a), 1)}}


'''
RATES = """class Rates:
    def __init__(self, base):
        self.base = base

    @property
    def double(self):
        return scale(self.base)


def scale(x):
    return x * 2
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_argument("--steps", type=int, default=20)
    arguments.add_argument("--lines", type=int, default=300)
    arguments.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.inside:
        print(json.dumps(measured(Path(chosen.inside), chosen.steps)))
        return
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), chosen.steps, chosen.lines)
        command = [sys.executable, __file__, "--inside", folder, "--steps", str(chosen.steps)]
        rounds = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5)]
    medians = {name: round(statistics.median(each[name] for each in rounds), 4) for name in rounds[0]}
    medians["cold_over_baseline"] = round(medians["cold_ms_per_step"] / medians["baseline_cold_ms_per_step"], 2)
    medians["warm_over_baseline"] = round(medians["warm_us_per_step"] / medians["baseline_warm_us_per_step"], 2)
    shown = {"benchmark": "code_digest", "steps": chosen.steps, "lines_per_file": chosen.lines, **medians}
    print(json.dumps(shown) if chosen.json else "\n".join(f"{name:28} {value}" for name, value in shown.items()))


def written(folder: Path, steps: int, lines: int) -> None:
    (folder / "rates.py").write_text(RATES)
    filler = max(0, (lines - MODULE.count("\n")) // FILLER.count("\n"))
    for number in range(steps):
        text = MODULE.format(number=number) + "".join(FILLER.format(number=each) for each in range(filler))
        (folder / f"prep_{number}.py").write_text(text)


def measured(folder: Path, steps: int) -> dict[str, float]:
    """One process's figures. Imports are paid before the clocks start, as a run has paid them."""
    sys.path.insert(0, str(folder))
    functions = [importlib.import_module(f"prep_{number}").tidy for number in range(steps)]
    start = time.perf_counter()
    from treadle.kernel.engine.code import fingerprint
    from treadle.kernel.engine.code.bundling import bundle
    from treadle.kernel.engine.environment import capture
    from treadle.kernel.engine.observing import observe

    import_ms = (time.perf_counter() - start) * 1e3
    capture_ms = timed(capture) * 1e3
    first_ms = timed(lambda: fingerprint(functions[0])) * 1e3
    cold = timed(lambda: [fingerprint(each) for each in functions[1:]]) / (steps - 1)
    warm = min(timed(lambda: [fingerprint(each) for each in functions]) for _ in range(50)) / steps
    baseline_cold = timed(lambda: [own_source(each) for each in functions]) / steps
    baseline_warm = min(timed(lambda: [own_source(each) for each in functions]) for _ in range(10)) / steps

    def observed() -> None:
        for _ in range(1000):
            with observe():
                pass

    observed()
    return {
        "import_ms": import_ms,
        "capture_ms": capture_ms,
        "first_ms": first_ms,
        "cold_ms_per_step": cold * 1e3,
        "warm_us_per_step": warm * 1e6,
        "baseline_cold_ms_per_step": baseline_cold * 1e3,
        "baseline_warm_us_per_step": baseline_warm * 1e6,
        "observe_nothing_us": min(timed(observed) for _ in range(10)) * 1e3,
        "bundle_ms": timed(lambda: bundle(functions[0], folder)) * 1e3,
    }


def own_source(function: Callable[..., object]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
