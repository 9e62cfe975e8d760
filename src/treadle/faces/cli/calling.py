"""One call of one command: its parser with the options that all share, the session, the function, the exit code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module

from treadle.faces.cli.contents import Entry
from treadle.faces.cli.output import Output
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Parser, parser_of
from treadle.ground.errors import TreadleError

COMMON = {
    "--json": "answer as one JSON document on stdout; errors as one on stderr",
    "--home": "the folder that holds store, artifacts and logs (TREADLE_HOME)",
    "--project": "the project to work in (TREADLE_PROJECT)",
    "--store": "where rows live: empty for SQLite in the home, or postgresql://… (TREADLE_STORE)",
    "--artifacts": "where bytes live: empty for a folder in the home, or s3://… (TREADLE_ARTIFACTS)",
    "--server": "the API to talk to: empty to work in this process (TREADLE_SERVER)",
    "--help": "say what a command does",
}
"""The options of every command."""


def call(entry: Entry, arguments: list[str]) -> int:
    """Runs the command with these arguments and answers its exit code. Errors of ours are printed here."""
    output = Output(as_json="--json" in arguments)
    try:
        function = load(entry)
        parser = full_parser(entry, function)
        if "--help" in arguments or "-h" in arguments:
            output.stdout.write(parser.format_help())
            return 0
        given = vars(parser.parse_args(arguments))
        del given["json"], given["help"]
        flags = {name: given.pop(name) for name in _flag_names()}
        positional = [given.pop(name) for name in _positional_names(function)]
        session = Session(output, flags)
        try:
            answer = function(session, *positional, **given)
        finally:
            session.close()
        return answer if isinstance(answer, int) else 0
    except TreadleError as error:
        return output.fail(error)


def load(entry: Entry) -> Callable[..., int | None]:
    """The function of a command."""
    function: Callable[..., int | None] = getattr(import_module(entry.module), entry.attribute)
    return function


def full_parser(entry: Entry, function: Callable[..., int | None]) -> Parser:
    """The parser of a command with the options of every command, in a group of their own."""
    parser = parser_of(entry, function)
    common = parser.add_argument_group("options of every command")
    for name, meaning in COMMON.items():
        if name == "--json":
            common.add_argument(name, action="store_true", help=meaning)
        elif name == "--help":
            common.add_argument("-h", name, action="store_true", help=meaning)
        else:
            common.add_argument(name, metavar=name[2:].upper(), help=meaning)
    return parser


def _flag_names() -> list[str]:
    return [name[2:] for name in COMMON if name not in ("--json", "--help")]


def _positional_names(function: Callable[..., int | None]) -> list[str]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
