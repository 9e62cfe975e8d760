"""Publishes the project when its files change, so that schedules and triggers on a laptop run what is on the disk.

The files are looked at every second by time and size. Publishing is `treadle publish` in a process of its own: the code
is imported fresh each time, and what user code does while it is imported cannot harm those who serve.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.faces.project_files import is_project, source_files

RETRY_S = 30.0
Stamp = tuple[int, int]


class CodeWatch:
    """See the module. `look` is called by a loop."""

    def __init__(self, root: Path, environment: Mapping[str, str], log: Any) -> None:
        self._root, self._environment, self._log = root, environment, log
        self._seen: dict[Path, Stamp] | None = None
        self._live = ""
        self._again_at: float | None = None

    def look(self) -> None:
        """Publishes when a file came, went or changed since the last look, and at the first."""
        if not is_project(self._root):
            return
        found = stamps(self._root)
        is_due = self._again_at is not None and time.monotonic() >= self._again_at
        if found == self._seen and not is_due:
            return
        changed = [] if self._seen is None else sorted({str(p) for p, _ in found.items() ^ self._seen.items()})
        self._seen = found
        self._publish([os.path.relpath(path, self._root) for path in changed])

    def _publish(self, changed: list[str]) -> None:
        command = [sys.executable, "-m", "treadle.faces.cli.entry", "publish", "--if-changed", "--json"]
        done = subprocess.run(
            command,
            cwd=self._root,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        self._again_at = None
        if done.returncode:
            self._again_at = time.monotonic() + RETRY_S  # it may not be the code: a store that was away, say
            self._log.error("the project could not be published", changed=changed, problem=_problem(done.stderr))
            return
        answer = json.loads(done.stdout)
        if answer["publication"] not in ("", self._live):
            self._live = answer["publication"]
            names = ", ".join(answer["pipelines"])
            self._log.info("the project is live", pipelines=names, publication=self._live, changed=changed or None)


def stamps(root: Path) -> dict[Path, Stamp]:
    """Time and size of every file that a publication of the project depends on."""
    found = {}
    for path in source_files(root):
        try:
            facts = path.stat()
        except OSError:  # it went between the listing and the look
            continue
        found[path] = (facts.st_mtime_ns, facts.st_size)
    return found


def _problem(stderr: str) -> str:
    try:
        document = json.loads(stderr[stderr.index('{\n  "type"') :])
    except ValueError:
        return stderr.strip()[-2000:]
    return " ".join(str(document[part]) for part in ("title", "detail", "why", "fix") if document.get(part))
