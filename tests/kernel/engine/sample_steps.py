"""Steps and pipelines that workers can import."""

# os and open: what user code is made of
# ruff: noqa: PTH108, PTH110, PTH123

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from treadle.kernel.engine import ConcurrencyLimit, Resources, each, load, pipeline, step
from treadle.kernel.engine.reporting import checkpoint, log_metric


@step
def increased(x: int) -> int:
    return x + 1


@step
def summed(xs: list[int]) -> int:
    print("summing", len(xs))
    log_metric("count", len(xs))
    return sum(xs)


@step
def measured(declared: str, tables: list[str], other: str) -> int:
    paths = [declared, *tables, other]
    return sum(len(Path(path).read_text()) for path in paths)


@step
def killed(x: int) -> int:
    os.kill(os.getpid(), 9)
    return x


@step(timeout_s=0.4)
def sleeping(marker: str) -> str:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(marker, "w") as file:
        file.write(str(child.pid))
    time.sleep(60)
    return "awake"


@step
def exiting(x: int) -> int:
    sys.exit(3)


@step
def leaving(x: int) -> int:
    os._exit(7)


@step
def forking(x: int) -> int:
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    return x


@step
def printing_bytes(x: int) -> int:
    os.write(1, b"\xff\xferaw\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return x


@step
def unserialisable(x: int) -> object:
    return lambda: x


@step(retries=3, backoff_s=0.01)
def flaky(counter: str, fails: int) -> int:
    with open(counter, "a") as file:
        file.write("x")
    with open(counter) as file:
        tries = len(file.read())
    if tries <= fails:
        raise ValueError(f"try {tries}")
    return tries


@step(retries=1, backoff_s=0.01)
def resuming(folder: str) -> list[int]:
    seen = checkpoint.latest() or []
    for number in range(len(seen), 4):
        if number == 2 and not os.path.exists(f"{folder}/died"):
            open(f"{folder}/died", "w").close()
            os._exit(9)
        seen = [*seen, number]
        checkpoint.save(seen)
    with open(f"{folder}/began_at", "a") as file:
        file.write(str(len(seen)))
    return seen


@step(concurrency=ConcurrencyLimit("narrow", 1))
def alone(folder: str, n: int) -> int:
    mark = f"{folder}/inside"
    fd = os.open(mark, os.O_CREAT | os.O_EXCL)
    time.sleep(0.02)
    os.close(fd)
    os.unlink(mark)
    return n


@step(resources=Resources(gpus=64))
def greedy(x: int) -> int:
    return x


@pipeline
def fanned(n: int) -> int:
    return summed(increased.map(each(range(n))))


@pipeline
def chained(n: int) -> int:
    x = increased.submit(0)
    for _ in range(n):
        x = increased.submit(x)
    return x


@pipeline
def named(name: str, argument: object) -> object:
    return globals()[name](argument)


@pipeline
def retried(counter: str, fails: int) -> int:
    return flaky(counter, fails)


@pipeline
def narrow(folder: str) -> list[int]:
    return load(alone.map(folder, each(range(4))))
