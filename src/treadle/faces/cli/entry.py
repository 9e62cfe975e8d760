"""The entry of the command line: finds the command, reads its arguments, runs it, and answers an exit code.

Nothing but the standard library and this kit is imported before the command is known, so `treadle --help` answers in a
blink: a command's own module waits until it is called.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import treadle
from treadle.faces.cli.calling import COMMON, call
from treadle.faces.cli.contents import ENTRIES, EVERY_DAY, GROUPS, NOUNS, Entry
from treadle.faces.cli.output import Output
from treadle.faces.cli.signatures import UsageWrong
from treadle.ground.errors import did_you_mean

_WITHOUT_VALUE = {"--json", "--help", "-h", "--version"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and answers its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our pipe has gone (`| head`): nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(words: list[str]) -> int:
    leading, rest = _split_leading(words)
    entry, arguments = _find(rest)
    if entry is not None:
        return _call(entry, [*arguments, *leading])
    if "--version" in leading:
        sys.stdout.write(f"treadle {treadle.__version__}\n")
        return 0
    if rest and rest[0] in GROUPS and (len(rest) == 1 or rest[1] in ("--help", "-h")):
        sys.stdout.write(group_help(rest[0]))
        return 0
    if not rest:
        sys.stdout.write(top_help())
        return 0
    return _unknown(rest, as_json="--json" in words)


def _split_leading(words: list[str]) -> tuple[list[str], list[str]]:
    """The options before the command, and what follows: `treadle --json runs list` is `treadle runs list --json`."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        takes_value = words[place] not in _WITHOUT_VALUE and "=" not in words[place]
        place += 2 if takes_value else 1
    return words[:place], words[place:]


def _find(words: list[str]) -> tuple[Entry | None, list[str]]:
    for length in (3, 2, 1):
        typed = " ".join(words[:length])
        for entry in ENTRIES:
            if entry.words == typed and len(words) >= length:
                return entry, words[length:]
    return None, words


def _call(entry: Entry, arguments: list[str]) -> int:
    try:
        return call(entry, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130
    except BrokenPipeError:
        raise
    except Exception:  # the outermost loop: whatever was not foreseen is shown in full
        traceback.print_exc()
        sys.stderr.write("error: Treadle met an error that it does not know; the lines above say where.\n")
        return 9


def _unknown(words: list[str], *, as_json: bool) -> int:
    typed = " ".join(word for word in words[:2] if not word.startswith("-"))
    known = [entry.words for entry in ENTRIES] + list(GROUPS)
    if words[0] in GROUPS:
        known = [entry.words for entry in ENTRIES if entry.words.startswith(f"{words[0]} ")]
    error = UsageWrong(f"There is no command {typed!r}.", why=did_you_mean(typed, known), fix="See: treadle --help")
    return Output(as_json=as_json).fail(error)


def top_help() -> str:
    """What `treadle --help` prints."""
    lines = ["usage: treadle COMMAND [ARGUMENTS] [OPTIONS]", "", "Every day:", *_rows(EVERY_DAY)]
    lines += ["", "By noun (treadle NOUN --help):"]
    for noun, meaning in GROUPS.items():
        actions = ", ".join(entry.words.partition(" ")[2] for entry in NOUNS if entry.words.startswith(f"{noun} "))
        lines += [f"  {noun:<14}{meaning}: {actions}"]
    lines += ["", "Options of every command:"]
    lines += [f"  {name:<14}{meaning}" for name, meaning in COMMON.items()]
    return "\n".join(lines) + "\n"


def group_help(noun: str) -> str:
    """What `treadle runs --help` prints."""
    entries = tuple(entry for entry in NOUNS if entry.words.startswith(f"{noun} "))
    return "\n".join([f"usage: treadle {noun} COMMAND", "", f"{GROUPS[noun].capitalize()}:", *_rows(entries)]) + "\n"


def _rows(entries: Sequence[Entry]) -> list[str]:
    width = max(len(entry.words) for entry in entries) + 2
    return [f"  {entry.words:<{max(width, 14)}}{entry.summary}" for entry in entries]


if __name__ == "__main__":
    sys.exit(main())
