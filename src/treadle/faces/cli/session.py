"""What a command is given: the settings, the way out, and the question before something is destroyed."""

from __future__ import annotations

import sys
from functools import cached_property

from treadle.faces.cli.output import Output
from treadle.ground import settings
from treadle.ground.errors import Denied
from treadle.ground.settings import Settings


class NotConfirmed(Denied):
    """Something would be destroyed, and nobody said yes."""

    code = "cli.not_confirmed"


class Session:
    """One call of the command line."""

    def __init__(self, output: Output, flags: dict[str, object]) -> None:
        self.out = output
        self._flags = flags

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when a command first asks for them."""
        return settings.load(self._flags)

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
