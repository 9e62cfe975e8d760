"""Where the project stands in git: commit and branch from the files of `.git`, the uncommitted changes from git itself.

Starting git takes 5 to 50 ms, so a run never waits for it: commit and branch are read (0.1 ms), and the diff is asked
for in the background and collected when the run ends.
"""

# os.path: this runs at the start of every run
# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH123

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from treadle.kernel.engine.environment.records import GitState

if TYPE_CHECKING:
    import subprocess

MAX_DIFF_BYTES = 1 << 20


def git_state(folder: str | os.PathLike[str] = ".") -> GitState | None:
    """Commit and branch of the repository that a folder lies in; None outside of any. Never starts a process.

    Work trees and submodules (`.git` is a file) and packed refs are understood; a branch without a commit has None.
    """
    found = _git_folder(os.path.abspath(folder))
    if found is None:
        return None
    head = _read(os.path.join(found, "HEAD"))
    if head is None:
        return None
    if not head.startswith("ref: "):
        return GitState(commit=head or None, branch=None)
    ref = head.removeprefix("ref: ")
    common = _read(os.path.join(found, "commondir"))
    shared = os.path.normpath(os.path.join(found, common)) if common else found
    commit = _read(os.path.join(found, ref)) or _read(os.path.join(shared, ref)) or _packed(shared, ref)
    return GitState(commit=commit, branch=ref.removeprefix("refs/heads/"))


def _git_folder(folder: str) -> str | None:
    while True:
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            return path
        pointer = _read(path)
        if pointer is not None and pointer.startswith("gitdir: "):
            return os.path.normpath(os.path.join(folder, pointer.removeprefix("gitdir: ")))
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _packed(folder: str, ref: str) -> str | None:
    for line in (_read(os.path.join(folder, "packed-refs")) or "").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return None


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


class PendingDiff:
    """The changes since the commit, on their way from git."""

    def __init__(self, process: subprocess.Popen[bytes] | None, output: IO[bytes] | None) -> None:
        self._process, self._output = process, output

    def result(self, timeout_s: float = 10.0) -> str | None:
        """The diff as text, cut after `MAX_DIFF_BYTES` with a line that says so; empty when the tree is clean, None when
        git is not there, fails, or takes longer than the time limit. May be asked once."""
        process, output = self._process, self._output
        self._process = self._output = None
        if process is None or output is None:
            return None
        with output:
            try:
                if process.wait(timeout_s) != 0:
                    return None
            except Exception:  # TimeoutExpired, named by a module that is imported only where git was started
                process.kill()
                process.wait()
                return None
            output.seek(0)
            content = output.read(MAX_DIFF_BYTES + 1)
        text = content[:MAX_DIFF_BYTES].decode("utf-8", "replace")
        return text + f"\n[cut after {MAX_DIFF_BYTES} bytes]\n" if len(content) > MAX_DIFF_BYTES else text


def start_diff(folder: str | os.PathLike[str] = ".") -> PendingDiff:
    """Asks git for what tracked files hold beyond the commit, and goes on at once (5 ms with its imports). New files are not in it; the
    code bundle has them. Files that look like secrets are left out."""
    if _git_folder(os.path.abspath(folder)) is None:
        return PendingDiff(None, None)
    import subprocess  # with tempfile 4 ms, which only projects in git pay
    import tempfile

    output = tempfile.TemporaryFile()  # noqa: SIM115  closed by `result`
    command = ["git", "--no-optional-locks", "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv"]
    command += ["--", ".", ":(exclude,glob)**/.env*", ":(exclude,glob)**/*.pem", ":(exclude,glob)**/*.key"]
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL
        )
    except OSError:
        output.close()
        return PendingDiff(None, None)
    return PendingDiff(process, output)
