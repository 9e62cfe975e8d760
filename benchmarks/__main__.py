"""Runs the benchmarks, all or those named, one after another and each in a fresh process; words with `--` go to each.

python -m benchmarks [NAME ...] [--json]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(words: list[str]) -> int:
    """Answers 1 when one of them failed or did not keep its limit."""
    known = {path.stem: path for path in sorted(FOLDER.glob("[a-z]*.py"))}
    names = [word for word in words if not word.startswith("-")] or list(known)
    options = [word for word in words if word.startswith("-")]
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
