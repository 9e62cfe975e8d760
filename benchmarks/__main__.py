"""Runs the benchmarks, all or those named, one after another and each in a fresh process; words with `--` go to each.

python -m benchmarks [--peers] [NAME ...] [--json]

--peers: those that need the stock clients of `.peers`; without it, and without names, the others.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
PEERS = "--peers"


def main(words: list[str]) -> int:
    """Answers 1 when one of them failed or did not keep its limit."""
    known = {path.stem: path for path in sorted(FOLDER.glob("[a-z]*.py"))}
    wanted = [name for name, path in known.items() if needs_peers(path) == (PEERS in words)]
    names = [word for word in words if not word.startswith("-")] or wanted
    options = [word for word in words if word.startswith("-") and word != PEERS]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in names:
        if "--json" not in options:
            print(f"\n{name}: {question(known[name])}", flush=True)
        if subprocess.run([sys.executable, str(known[name]), *options], check=False).returncode != 0:
            failed.append(name)
    for name in failed:
        print(f"{name}: not kept", file=sys.stderr)
    return int(bool(failed))


def question(path: Path) -> str:
    """The first line of a benchmark's docstring."""
    return path.read_text(encoding="utf-8").partition('"""')[2].partition("\n")[0]


def needs_peers(path: Path) -> bool:
    """Whether a benchmark measures a stock server or library, which stand in an environment of their own."""
    return "PEERS_PYTHON" in path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
