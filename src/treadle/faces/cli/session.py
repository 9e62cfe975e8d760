"""What a command is given: the settings, the client, the workspace, the way out, and the question before a loss."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from treadle.assembly import Workspace
from treadle.faces.cli.output import Output
from treadle.ground import settings
from treadle.ground.errors import Denied
from treadle.ground.settings import Settings

if TYPE_CHECKING:
    from treadle.faces.cli.progress_bar import ProgressBar
    from treadle.faces.cli.progress_lines import ProgressLines
    from treadle.faces.sdk.client import Client
    from treadle.kernel.engine.session import Session as RunSession

    Shown = ProgressBar | ProgressLines


class NotConfirmed(Denied):
    """Something would be lost, and nobody said yes."""

    code = "cli.not_confirmed"


class Session:
    """One call of the command line."""

    def __init__(self, output: Output, flags: dict[str, object]) -> None:
        self.out = output
        self._flags = flags
        self.is_verbose = False
        """Whether a run says each step on a line of its own."""
        self._closing: list[Callable[[], None]] = []

    def override(self, **flags: str) -> None:
        """Gives settings what a command's own options say of them; before the settings are first read."""
        self._flags |= flags

    def reread(self) -> None:
        """Reads the settings anew when they are next asked for, and opens what they name anew."""
        self.close()
        for name in ("settings", "workspace", "client"):
            self.__dict__.pop(name, None)

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when a command first asks for them."""
        return settings.load(self._flags)

    @cached_property
    def workspace(self) -> Workspace:
        """The store, the engine and the services of this process; for commands that run code here."""
        workspace = Workspace(self.settings, show=None if self.out.as_json else self.show)
        self._closing.append(workspace.close)
        return workspace

    def show(self, running: RunSession, name: str) -> Shown | None:
        """What is shown of a run while it works: lines if asked for, else a line that changes, at a terminal alone."""
        from treadle.faces.cli import progress_bar, progress_lines  # a run of three steps need not pay for them

        return progress_lines.shown(running, name) if self.is_verbose else progress_bar.shown(running, name)

    @cached_property
    def client(self) -> Client:
        """Every verb, done in this process or by the server that the settings name."""
        from treadle.faces.sdk.connecting import client_of, connect  # msgspec and inspect cost --help 30 ms

        if not self.settings.server:
            return client_of(self.workspace)
        client = connect(self.settings)
        self._closing.append(client.close)
        return client

    def confirm(self, question: str, *, yes: bool) -> None:
        """Goes on when the person says yes, or said `--yes`. Raises NotConfirmed otherwise, also where nobody can answer."""
        if yes:
            return
        if not sys.stdin.isatty() or self.out.as_json:
            raise NotConfirmed(question, why="Nobody is there to answer.", fix="Say it beforehand: --yes")
        self.out.stderr.write(f"{question} [y/N] ")
        self.out.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise NotConfirmed("Nothing was changed.")

    def close(self) -> None:
        """Gives back what was opened."""
        while self._closing:
            self._closing.pop()()
