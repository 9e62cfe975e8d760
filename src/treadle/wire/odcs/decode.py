"""Contract text to records, with every problem named by line and path.

The structure is checked by the types of `records`, the sense by `sense`. Decoding goes on past a problem (the faulty
part is left out), so that one reading shows all of them.
"""

from __future__ import annotations

import re
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from treadle.ground.errors import did_you_mean
from treadle.wire.odcs.errors import InvalidContract
from treadle.wire.odcs.form import problems_of_form
from treadle.wire.odcs.positions import Path, Unreadable, parse
from treadle.wire.odcs.records import Contract
from treadle.wire.odcs.sense import problems_of_sense

MAX_PROBLEMS = 20
_PATH = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*)`")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")

Problem = dict[str, Any]


def decode(text: str, *, source: str = "the contract") -> Contract:
    """The contract that the YAML text holds.

    `source` names the text in messages. Raises InvalidContract, with all problems in `context["problems"]`, each a
    mapping of `line`, `path` and `message`.
    """
    try:
        value, lines = parse(text)
    except Unreadable as error:
        raise _refusal(source, [{"line": error.line, "path": "", "message": error.message}]) from error
    form = [_problem(lines, path, message) for path, message in problems_of_form(value)]
    contract, problems = _convert(value, lines)
    problems = _each_once(form + problems)
    if contract is not None and not problems:  # a contract with parts left out would seem to contradict itself
        problems = [_problem(lines, path, message) for path, message in problems_of_sense(contract)]
    if problems or contract is None:
        raise _refusal(source, sorted(problems, key=lambda problem: problem["line"]))
    return contract


def _convert(value: Any, lines: dict[Path, int]) -> tuple[Contract | None, list[Problem]]:
    problems: list[Problem] = []
    left_in: set[Path] = set()  # what has lost a part already: that it misses one now is no news
    while len(problems) < MAX_PROBLEMS:
        try:
            return msgspec.convert(value, Contract, strict=True), problems
        except msgspec.ValidationError as error:
            path, message, faulty = _explain(str(error))
            if message.endswith("is missing") and path in left_in:
                break
            problems.append(_problem(lines, path, message))
            left_in.add(faulty[:-1])
            if not faulty or not _leave_out(value, faulty):
                break
    return None, problems


def _each_once(problems: list[Problem]) -> list[Problem]:
    """One problem for each place: the form's own words, where the types complain of the same."""
    seen: set[str] = set()
    answer = []
    for problem in problems:
        place = f"{problem['path']} {problem['message'] if problem['message'].endswith('is missing') else ''}"
        if place not in seen:
            answer.append(problem)
        seen.add(place)
    return answer


def _explain(text: str) -> tuple[Path, str, Path]:
    """Where the problem is, what it is, and which part to leave out in order to go on."""
    match = _PATH.match(text)
    assert match
    path = tuple(int(step["index"]) if step["index"] else step["key"] for step in _STEP.finditer(match["path"] or ""))
    message = match["message"]
    if unknown := _UNKNOWN.search(message):
        name = unknown["name"]
        return (
            (*path, name),
            f"{name!r} is not known here. {did_you_mean(name, _fields_at(path))}".strip(),
            (*path, name),
        )
    if missing := _MISSING.search(message):
        return path, f"{missing['name']!r} is missing", path[:-1] if path and isinstance(path[-1], str) else path
    if "got `float`" in message or "got `int`" in message:
        message += '; text that looks like a number needs quotes, as in version: "1.0"' if "`str`" in message else ""
    return path, message[:1].lower() + message[1:], path


def _fields_at(path: Path) -> list[str]:
    """The names that may stand at a path, as they are written in the text."""
    kind: Any = Contract
    for step in path:
        kind = _member(kind, step)
        if kind is None:
            return []
    return [field.encode_name for struct in _structs(kind) for field in msgspec.structs.fields(struct)]


def _member(kind: Any, step: str | int) -> Any:
    for option in _options(kind):
        if isinstance(step, int) and get_origin(option) is list:
            return get_args(option)[0]
        if isinstance(step, str) and isinstance(option, type) and issubclass(option, msgspec.Struct):
            hints = get_type_hints(option)
            for field in msgspec.structs.fields(option):
                if field.encode_name == step:
                    return hints[field.name]
    return None


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    return [option for option in _options(kind) if isinstance(option, type) and issubclass(option, msgspec.Struct)]


def _leave_out(value: Any, path: Path) -> bool:
    for step in path[:-1]:
        value = value[step]
    try:
        del value[path[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _problem(lines: dict[Path, int], path: Path, message: str) -> Problem:
    known = path
    while known and known not in lines:
        known = known[:-1]
    return {"line": lines.get(known, 1), "path": written(path), "message": message}


def written(path: Path) -> str:
    """A path as people write it: `schema[0].properties[3].required`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _refusal(source: str, problems: list[Problem]) -> InvalidContract:
    shown = [
        f"line {p['line']}: {p['path'] + ': ' if p['path'] else ''}{p['message']}" for p in problems[:MAX_PROBLEMS]
    ]
    return InvalidContract(
        f"{source} is no valid data contract: {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
        why="\n".join(shown),
        fix="Mend the named lines; the fields are those of the Open Data Contract Standard, version 3.",
        problems=problems,
    )
