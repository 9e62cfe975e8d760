"""A function becomes a command: its parameters are the arguments and options, its docstring is the help.

The first parameter is the `Session`. Those before `*` are positional arguments, those after are options. A parameter
says what it means by `Annotated[str, "what it means"]`, or by `Option(...)` where it has a short form or a placeholder of its
own. Built on argparse, whose import costs a tenth of Typer's (docs/decisions/0003).
"""

from __future__ import annotations

import argparse
import inspect
import types
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, Union, get_args, get_origin, get_type_hints

from treadle.faces.cli.contents import Entry
from treadle.ground.errors import InvalidInput, did_you_mean

_PLACEHOLDERS: dict[type, str] = {int: "N", float: "X", Path: "PATH"}


class UsageWrong(InvalidInput):
    """The command line was not understood."""

    code = "cli.usage"


class Option(NamedTuple):
    """What a parameter means, with a short form (`-p`) and a placeholder for the help."""

    meaning: str
    short: str = ""
    metavar: str = ""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises our error where argparse would print its own and exit."""

    def error(self, message: str) -> NoReturn:
        options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        _, _, unknown = message.partition("unrecognized arguments: ")
        is_option = unknown.startswith("-")
        why = did_you_mean(unknown.split()[0], options) if is_option else f"It is used so: {self.usage}"
        raise UsageWrong(f"{message[:1].upper()}{message[1:]}.", why=why, fix=f"See: {self.prog} --help")


def read_time(text: str | None) -> datetime | None:
    """A time as people write it (`2013-04-01`, `2013-04-01T12:00Z`), UTC where it names no zone. Raises UsageWrong."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageWrong(f"{text!r} is no time.", why=str(error), fix="2013-04-01, or 2013-04-01T12:00Z") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def parser_of(entry: Entry, function: Callable[..., int | None]) -> Parser:
    """The parser of one command, without the options that all commands share."""
    parser = Parser(
        prog=f"treadle {entry.words}",
        usage=" ".join(["treadle", entry.words, *_places(function), "[OPTIONS]"]),
        description=_description(entry, function),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    hints = get_type_hints(function, include_extras=True)
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        _add(parser, parameter, hints[parameter.name])
    return parser


def _description(entry: Entry, function: Callable[..., int | None]) -> str:
    _, _, rest = (inspect.getdoc(function) or "").partition("\n")
    summary = f"{entry.summary[:1].upper()}{entry.summary[1:]}."
    return f"{summary}\n\n{rest.strip()}" if rest.strip() else summary


def _places(function: Callable[..., int | None]) -> list[str]:
    """The positional arguments as the usage line shows them."""
    parameters = [p for p in list(inspect.signature(function).parameters.values())[1:] if p.kind is not p.KEYWORD_ONLY]
    return [p.name.upper() if p.default is p.empty else f"[{p.name.upper()}]" for p in parameters]


def _add(parser: Parser, parameter: inspect.Parameter, hint: Any) -> None:
    option, kind = _unpacked(hint)
    required = parameter.default is parameter.empty
    default = None if required else parameter.default
    facts: dict[str, Any] = {"help": _help(option, default), "default": default}
    if get_origin(kind) is list:
        kind = get_args(kind)[0]
        facts |= (
            {"action": "append"} if parameter.kind is parameter.KEYWORD_ONLY else {"nargs": "+" if required else "*"}
        )
    if get_origin(kind) is Literal:
        facts |= {"choices": get_args(kind)}
        kind = str
    if parameter.kind is not parameter.KEYWORD_ONLY:
        if not required and "nargs" not in facts:
            facts["nargs"] = "?"
        parser.add_argument(
            parameter.name, type=_reader(kind), metavar=option.metavar or parameter.name.upper(), **facts
        )
        return
    names = [*([f"-{option.short}"] if option.short else []), "--" + parameter.name.replace("_", "-")]
    if kind is bool:
        parser.add_argument(*names, dest=parameter.name, action="store_true", help=option.meaning, default=default)
        return
    if "choices" not in facts:
        facts["metavar"] = option.metavar or _PLACEHOLDERS.get(kind, parameter.name.upper())
    parser.add_argument(*names, dest=parameter.name, type=_reader(kind), required=required, **facts)


def _unpacked(hint: Any) -> tuple[Option, Any]:
    """What was said of a parameter, and its plain type (`str | None` is `str`)."""
    option = Option("")
    if get_origin(hint) is Annotated:
        hint, said, *_ = get_args(hint)
        option = said if isinstance(said, Option) else Option(str(said))
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    return option, hint


def _help(option: Option, default: object) -> str:
    meaning = option.meaning.replace("%", "%%")
    return meaning if default in (None, False, (), "") else f"{meaning} (default: {default})"


def _reader(kind: Any) -> Callable[[str], Any]:
    return {str: str, int: int, float: float, Path: Path}[kind]
