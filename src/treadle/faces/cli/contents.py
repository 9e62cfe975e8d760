"""The table of contents of the command line.

One line a command: its words, where its function lives, what it does. `treadle --help` prints this table and imports
nothing else; a command's module is imported when it is called. A test holds the table and the functions together.
"""

from __future__ import annotations

from typing import NamedTuple

_COMMANDS = "treadle.faces.cli.commands"


class Entry(NamedTuple):
    """One command."""

    words: str
    """What is typed: `run`, or a plural noun and a verb: `runs list`."""
    function: str
    """`module:function`, the module below `treadle.faces.cli.commands`."""
    summary: str

    @property
    def module(self) -> str:
        return f"{_COMMANDS}.{self.function.partition(':')[0]}"

    @property
    def attribute(self) -> str:
        return self.function.partition(":")[2]


EVERY_DAY = (Entry("init", "projects:init", "start a project that runs as it is: pipeline, contract, test, CI"),)

NOUNS = (Entry("config show", "configuration:show", "every setting, its value, and where the value came from"),)

ENTRIES = EVERY_DAY + NOUNS

GROUPS = {
    "config": "settings of this project",
}
"""What each plural noun is about."""
