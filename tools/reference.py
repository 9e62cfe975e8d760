"""Writes the pages of docs/reference from the code: settings, errors, verbs, the command line.

`make docs` writes them; `python -m tools.reference --check` says which are not fresh, and `make check` runs it. The pages are
made from declarations alone, so a setting, verb or error that exists is documented, and one that went is gone.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from tools.protocol_page import protocol_page
from treadle.faces.api.mlflow.dispatch import all_routes
from treadle.faces.api.mlflow.left_out import LEFT_OUT, METHODS
from treadle.faces.api.mlflow.server import MLFLOW_VERSION
from treadle.faces.cli import calling
from treadle.faces.cli.contents import ENTRIES, GROUPS, Entry
from treadle.faces.cli.signatures import Parser, parser_of
from treadle.faces.problems import EXIT_CODES
from treadle.ground import settings
from treadle.ground.errors import TreadleError
from treadle.kernel.governance import Verb, declared

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PAGES = ROOT / "docs" / "reference"
NOTICE = "<!-- Written by tools/reference.py from the code: change the code, then `make docs`. -->"


def main() -> int:
    """Writes the pages, or with `--check` answers 1 and shows what would change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; answer 1 when a page is not fresh")
    is_check = parser.parse_args().check
    stale = False
    for name, text in pages().items():
        path = PAGES / name
        written = path.read_text(encoding="utf-8") if path.is_file() else ""
        if written == text:
            continue
        stale = True
        if is_check:
            sys.stdout.writelines(
                difflib.unified_diff(written.splitlines(True), text.splitlines(True), str(path), "fresh")
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    if is_check and stale:
        print("docs/reference is not fresh: make docs", file=sys.stderr)
    return int(is_check and stale)


def pages() -> dict[str, str]:
    """Each page's text by file name."""
    import_declaring_modules()
    return {
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "verbs.md": verbs_page(),
        "cli.md": cli_page(),
        "mlflow.md": mlflow_page(),
        "protocol.md": protocol_page(NOTICE),
    }


def mlflow_page() -> str:
    """The routes of MLflow's protocol that are answered, and those that are left out."""
    left_out = {path for family in LEFT_OUT for path in family.paths}
    served = sorted({(route.path, route.method) for route in all_routes() if route.path not in left_out})
    lines = [
        "# MLflow's protocol",
        "",
        NOTICE,
        "",
        f"What clients of MLflow {MLFLOW_VERSION} are answered. Paths without a slash in front stand below `/api/` and `/ajax-api/`",
        "alike. `/health` and `/version` need no credentials, and neither does the address of an upload's part, which is signed.",
        "",
        "## Answered",
        "",
        "| method | path |",
        "| --- | --- |",
        *(f"| {method} | `{path}` |" for path, method in [*served, ("/health", "GET")]),
        "",
        "## Left out",
        "",
        f"Every method ({', '.join(METHODS)}) of these answers 501, `NOT_IMPLEMENTED`, with the sentence beside it.",
        "",
        "| what | use instead | paths |",
        "| --- | --- | --- |",
        *(
            f"| {family.about} | {family.instead} | {' '.join(f'`{path}`' for path in family.paths)} |"
            for family in LEFT_OUT
        ),
    ]
    return "\n".join(lines) + "\n"


def import_declaring_modules() -> None:
    """Imports every module that declares an error or a verb, so that the registries know them all."""
    for path in sorted((SOURCE / "treadle").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(_declares(node) for node in ast.walk(tree)):
            parts = path.relative_to(SOURCE).with_suffix("").parts
            import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def _declares(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return any(isinstance(mark, ast.Call) and ast.unparse(mark.func) == "verb" for mark in node.decorator_list)
    if isinstance(node, ast.ClassDef) and node.bases:
        return any(isinstance(line, ast.Assign) and "code" in ast.unparse(line.targets[0]) for line in node.body)
    return False


# -- settings --------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        NOTICE,
        "",
        "A value comes from the default, then `treadle.toml` of the project, then the environment, then a flag of the",
        "command line; the later wins. `treadle config show` prints each value and where it came from. Paths in the file",
        "begin at the file, those in the environment and in flags at the working folder.",
        "",
        "| name | environment | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for setting in settings.declared():
        default = "`.treadle` beside the project" if setting.name == "home" else _default(setting.default)
        secret = " Masked where it is shown." if setting.secret else ""
        lines.append(f"| `{setting.name}` | `{setting.variable}` | {default} | {setting.meaning}{secret} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value in ("", None):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


# -- errors ----------------------------------------------------------------------------------------------------------


def errors_page() -> str:
    lines = [
        "# Errors and exit codes",
        "",
        NOTICE,
        "",
        "Every error says what happened, why, and what to do. Its `code` is for programs and never changes. The command line",
        "prints the three sentences on stderr (with `--json` the same document that the API answers as problem+json).",
        "",
        "## Exit codes",
        "",
        "| exit code | meaning |",
        "| ---: | --- |",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
        "",
        "## Errors",
        "",
        "| code | class | HTTP | try again | what it says |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for kind in sorted(set(error_classes()), key=lambda kind: kind.code):
        anchor = kind.code.replace(".", "-")
        meaning = _first_line(kind)
        again = "yes" if kind.retryable else "no"
        lines.append(
            f'| <a id="{anchor}"></a>`{kind.code}` | `{kind.__module__}.{kind.__name__}` | {kind.status} | {again} | {meaning} |'
        )
    return "\n".join(lines) + "\n"


def error_classes(base: type[TreadleError] = TreadleError) -> Iterator[type[TreadleError]]:
    """Every error class of the package."""
    if base.__module__.startswith("treadle."):
        yield base
    for kind in base.__subclasses__():
        yield from error_classes(kind)


def _first_line(kind: type) -> str:
    text = kind.__doc__ or ""
    return "" if text == (kind.__mro__[1].__doc__ or "") else inspect.cleandoc(text).partition("\n")[0]


# -- verbs -----------------------------------------------------------------------------------------------------------


def verbs_page() -> str:
    verbs = [verb for verb in declared().values() if verb.function.__module__.startswith("treadle.")]
    lines = [
        "# Verbs",
        "",
        NOTICE,
        "",
        "A verb is a method of a service with a typed request and a typed answer. It is reached as",
        "`client.NOUN.VERB(field=…)`, and over HTTP as `POST /api/v1/NOUN/VERB` with a JSON object (verbs that only read",
        "also by `GET` with query parameters). The OpenAPI document is at `/api/v1/openapi.json`.",
    ]
    for noun in sorted({verb.noun for verb in verbs}):
        lines += ["", f"## {noun}"]
        for verb in verbs:
            if verb.noun == noun:
                lines += ["", *_verb_lines(verb)]
    return "\n".join(lines) + "\n"


def _verb_lines(verb: Verb) -> list[str]:
    facts = [f"permission `{verb.permission}`"]
    if verb.event:
        facts.append(f"leaves the event `{verb.event}`")
    if verb.shape != "unary":
        facts.append({"stream": "streams its answers", "run": "starts a run and answers it at once"}[verb.shape])
    lines = [
        f"### {verb.name}",
        "",
        f"{verb.summary}".strip(),
        "",
        f"{'; '.join(facts).capitalize()}. Answers `{type_text(verb.answer_type())}`.",
    ]
    request = verb.request_type()
    if request is not None:
        lines += ["", "| field | type | default |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | `{kind}` | {default} |" for name, kind, default in fields_of(request)]
    return lines


def fields_of(record: type[Any]) -> Iterator[tuple[str, str, str]]:
    """(name, type, default) of a record's fields, in order."""
    hints = get_type_hints(record)
    for field in dataclasses.fields(record):
        if field.default is not dataclasses.MISSING:
            default = f"`{field.default!r}`"
        elif field.default_factory is not dataclasses.MISSING:
            default = f"`{field.default_factory()!r}`"
        else:
            default = "required"
        yield field.name, type_text(hints[field.name]), default


def type_text(hint: Any) -> str:
    """A type as a reader writes it: `list[Loaf]`, `str or None`."""
    if hint is None or hint is type(None):
        return "None"
    if get_origin(hint) is None:
        return getattr(hint, "__name__", str(hint))
    if str(get_origin(hint)) in ("typing.Union", "<class 'types.UnionType'>"):
        return " or ".join(type_text(part) for part in get_args(hint))
    if str(get_origin(hint)) == "typing.Literal":
        return " or ".join(repr(part) for part in get_args(hint))
    inside = ", ".join(type_text(part) for part in get_args(hint))
    return f"{getattr(get_origin(hint), '__name__', get_origin(hint))}[{inside}]"


# -- the command line ------------------------------------------------------------------------------------------------


def cli_page() -> str:
    lines = [
        "# The command line",
        "",
        NOTICE,
        "",
        "`treadle --help` lists the commands. Answers go to stdout, errors to stderr; the exit codes are in",
        "[errors.md](errors.md#exit-codes).",
        "",
        "## Options of every command",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in calling.COMMON.items()),
    ]
    nouns = [("Every day", [entry for entry in ENTRIES if " " not in entry.words])]
    for noun, meaning in GROUPS.items():
        nouns.append((f"{noun}: {meaning}", [entry for entry in ENTRIES if entry.words.startswith(f"{noun} ")]))
    for title, entries in nouns:
        lines += ["", f"## {title}"]
        for entry in entries:
            lines += ["", *_command_lines(entry)]
    return "\n".join(lines) + "\n"


def _command_lines(entry: Entry) -> list[str]:
    parser = parser_of(entry, calling.load(entry))
    lines = [f"### treadle {entry.words}", "", parser.description or "", "", "```text", parser.usage or "", "```"]
    rows = list(_argument_rows(parser))
    if rows:
        lines += ["", "| argument | meaning |", "| --- | --- |", *rows]
    return lines


def _argument_rows(parser: Parser) -> Iterator[str]:
    for action in parser._actions:
        placeholder = f" {action.metavar}" if action.metavar and action.option_strings else ""
        name = ", ".join(action.option_strings) + placeholder if action.option_strings else str(action.metavar)
        choices = f" One of: {', '.join(map(str, action.choices))}." if action.choices else ""
        meaning = (action.help or "").replace("%%", "%").replace("|", "\\|")
        yield f"| `{name}` | {meaning}{choices} |"


if __name__ == "__main__":
    sys.exit(main())
