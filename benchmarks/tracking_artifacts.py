"""How near to the disk's own speed does an artifact of 1 GB go up and come down? At least 0.7 of it, and memory stays flat.

Four times on the same disk, in turn: the bytes written to a file and flushed; the same bytes sent to `treadle up` over the
artifact proxy, which answers once they are durable; the file read from the disk; the artifact downloaded from the disk.
"From the disk" is after the system was asked to forget the file's pages. The medians are compared.

    python benchmarks/tracking_artifacts.py [--gigabytes 1] [--repeat 4] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

TREADLE = str(Path(sys.executable).with_name("treadle"))
LIMIT = 0.7
MEMORY_LIMIT_MB = 64
"""How much more memory the server may have taken after all transfers than before the first."""
_PIECE = 1 << 20
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/0/bench/artifacts"


class Running:
    """`treadle up` over a fresh home, with one connection to it."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str, home: Path) -> None:
        self.process, self.home = process, home
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, blocksize=_PIECE, timeout=300)
        self.headers = {"Authorization": f"Bearer {token}"}

    def up(self, name: str, block: memoryview, size: int) -> float:
        """Seconds until the server has acknowledged the bytes."""
        begun = time.perf_counter()
        headers = {**self.headers, "Content-Length": str(size), "Content-Type": "application/octet-stream"}
        self.connection.request("PUT", f"{_PROXY}/{name}", body=pieces(block, size), headers=headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return time.perf_counter() - begun

    def down(self, name: str, size: int) -> float:
        """Seconds until the last byte is here."""
        begun = time.perf_counter()
        self.connection.request("GET", f"{_PROXY}/{name}", headers=self.headers)
        answer = self.connection.getresponse()
        buffer, seen = bytearray(_PIECE), 0
        while count := answer.readinto(buffer):
            seen += count
        assert (answer.status, seen) == (200, size)
        return time.perf_counter() - begun

    def memory_mb(self) -> float:
        """The largest resident set of the server's process so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def blobs(self) -> Iterator[Path]:
        """The files of all blobs."""
        return (path for path in (self.home / "artifacts").rglob("*") if path.is_file())


@contextlib.contextmanager
def running(home: Path) -> Iterator[Running]:
    """The server, for the length of a `with`."""
    command = [TREADLE, "up", "--home", str(home), "--port", "0", "--serve-port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=home.parent)
    try:
        assert process.stdout is not None
        announced = "".join(iter(process.stdout.readline, "}\n")) + "}"
        url = json.loads(announced)["url"]
        yield Running(process, url, (home / "api.token").read_text().strip(), home)
    finally:
        process.terminate()
        process.wait()


def pieces(block: memoryview, size: int) -> Iterator[memoryview]:
    """A block over and over, but for a mark at the beginning: no two transfers have the same bytes."""
    mark = memoryview(secrets.token_bytes(64))
    yield mark
    left = size - len(mark)
    place = 0
    while left:
        piece = block[place : place + min(_PIECE, left)]
        yield piece
        left -= len(piece)
        place = (place + _PIECE) % len(block)


def written_s(path: Path, block: memoryview, size: int) -> float:
    """Seconds to write the bytes to a file and flush it."""
    begun = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for piece in pieces(block, size):
            file.write(piece)
        os.fsync(file.fileno())
    return time.perf_counter() - begun


def read_s(path: Path) -> float:
    """Seconds to read a file."""
    begun = time.perf_counter()
    buffer = bytearray(_PIECE)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - begun


def forget(path: Path) -> None:
    """Asks the system to drop the file's pages."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(folder: Path, size: int, repeat: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """(seconds of each kind, megabytes of memory before and after)."""
    block = memoryview(secrets.token_bytes(64 << 20))
    seconds: dict[str, list[float]] = {name: [] for name in ("write", "up", "read", "down", "read warm", "down warm")}
    with running(folder / "home") as server:
        server.up("warm-up", block, 8 << 20)
        server.down("warm-up", 8 << 20)
        memory = {"before": server.memory_mb()}
        for turn in range(repeat):
            plain, name = folder / "plain", f"turn-{turn}"
            seconds["write"].append(written_s(plain, block, size))
            known = set(server.blobs())
            seconds["up"].append(server.up(name, block, size))
            (blob,) = set(server.blobs()) - known
            for path in (plain, blob):
                forget(path)
            seconds["read"].append(read_s(plain))
            seconds["down"].append(server.down(name, size))
            seconds["read warm"].append(read_s(plain))
            seconds["down warm"].append(server.down(name, size))
            plain.unlink()
            blob.unlink()
        memory["after"] = server.memory_mb()
    return seconds, memory


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = int(options.gigabytes * 1e9)

    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        seconds, memory = measured(Path(folder), size, options.repeat)
    speeds = {name: size / 1e6 / statistics.median(taken) for name, taken in seconds.items()}
    ratios = {"up": speeds["up"] / speeds["write"], "down": speeds["down"] / speeds["read"]}
    grown = memory["after"] - memory["before"]
    broken = [name for name, ratio in ratios.items() if ratio < LIMIT]
    broken += ["memory"] if grown > MEMORY_LIMIT_MB else []

    if options.json:
        print(json.dumps({"mb_per_s": speeds, "ratio_to_disk": ratios, "memory_mb": memory, "broken": broken}))
    else:
        for name, baseline in (("up", "write"), ("down", "read"), ("down warm", "read warm")):
            limit = f"(at least {LIMIT:g}{': NOT KEPT' if name in broken else ''})" if name in ratios else ""
            ratio = speeds[name] / speeds[baseline]
            print(
                f"{name:>10} {speeds[name]:6.0f} MB/s, {baseline} {speeds[baseline]:6.0f} MB/s: {ratio:4.2f}x {limit}"
            )
        kept = ": NOT KEPT" if "memory" in broken else ""
        print(
            f"    memory {memory['before']:.0f} MB before, at most {memory['after']:.0f} MB (+{MEMORY_LIMIT_MB} at most{kept})"
        )
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
