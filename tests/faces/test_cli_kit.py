"""The kit of the command line: functions become commands, errors become three lines and an exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest

from treadle.faces.cli import calling, contents, entry
from treadle.faces.cli.contents import ENTRIES, EVERY_DAY, GROUPS, NOUNS, Entry
from treadle.faces.cli.output import Output
from treadle.faces.cli.session import NotConfirmed, Session
from treadle.faces.cli.signatures import Option, UsageWrong
from treadle.faces.problems import EXIT_CODES
from treadle.ground.errors import Conflict, Corrupt, Denied, MissingExtra, NotFound, TreadleError, Unavailable

MODULE = "treadle.faces.cli.commands.for_tests"


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls a function as the command `loaves bake` and answers (exit code, stdout, stderr)."""

    def run(function, *arguments):
        module = ModuleType(MODULE)
        module.bake = function
        monkeypatch.setitem(sys.modules, MODULE, module)
        code = calling.call(Entry("loaves bake", "for_tests:bake", "bake a loaf"), list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def bake(
    session: Session,
    name: Annotated[str, "whose loaf"],
    place: Annotated[str | None, "where"] = None,
    *,
    minutes: Annotated[float, "how long"] = 40.0,
    flour: Annotated[list[str] | None, Option("of what", short="f", metavar="KIND")] = None,
    size: Annotated[Literal["small", "large"], "how large"] = "small",
    is_warm: Annotated[bool, "light the oven first"] = False,
    into: Annotated[Path | None, "a folder"] = None,
) -> None:
    """Bakes.

    The rest of the docstring is the help's second paragraph.
    """
    answer = {
        "name": name,
        "place": place,
        "minutes": minutes,
        "flour": flour,
        "size": size,
        "warm": is_warm,
        "into": into,
    }
    session.out.show(answer, lambda paper: paper.sheet(answer))


def test_arguments_and_options_arrive_with_their_types(call):
    code, out, _ = call(
        bake, "rye", "oven", "--minutes", "12", "-f", "rye", "--flour", "oat", "--is-warm", "--into", "x", "--json"
    )

    assert code == 0
    assert json.loads(out) == {
        "name": "rye", "place": "oven", "minutes": 12.0, "flour": ["rye", "oat"], "size": "small", "warm": True, "into": "x",
    }  # fmt: skip


def test_defaults_hold_where_an_option_is_left_out(call):
    _, out, _ = call(bake, "rye", "--json")

    assert json.loads(out)["minutes"] == 40.0
    assert json.loads(out)["flour"] is None


def test_a_person_gets_text_and_a_program_gets_json(call):
    assert "whole" not in call(bake, "rye")[1]
    assert call(bake, "rye")[1].splitlines()[0].split() == ["name", "rye"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "NAME"),
        (("rye", "--minutes", "long"), "--minutes"),
        (("rye", "--size", "huge"), "huge"),
        (("rye", "--minute", "3"), "--minutes"),
        (("rye", "oven", "third"), "third"),
        (("rye", "--into"), "--into"),
    ],
)
def test_a_wrong_command_line_says_what_and_what_to_do(call, arguments, said):
    code, out, err = call(bake, *arguments)

    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert "fix: See: treadle loaves bake --help" in err


def test_help_has_summary_usage_arguments_and_the_docstring_s_rest(call):
    code, out, _ = call(bake, "--help")

    assert code == 0
    assert "usage: treadle loaves bake NAME [PLACE] [OPTIONS]" in out
    for text in (
        "Bake a loaf.",
        "second paragraph",
        "whose loaf",
        "how long (default: 40.0)",
        "{small,large}",
        "-f KIND",
        "--json",
    ):
        assert text in out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 3),
        (Conflict("x"), 4),
        (Denied("x"), 5),
        (Unavailable("x"), 6),
        (Corrupt("x"), 7),
        (MissingExtra.of("ray", "ray", "This executor"), 8),
        (UsageWrong("x"), 2),
        (TreadleError("x"), 1),
    ],
)
def test_the_exit_code_follows_from_the_error(call, error, code):
    def fail(session: Session) -> None:
        raise error

    assert call(fail)[0] == code
    assert code in EXIT_CODES


def test_an_error_is_three_lines_on_stderr(call):
    def fail(session: Session) -> None:
        raise NotFound("No loaf 'rye'.", why="It was eaten.\nAll of it.", fix="Bake one: treadle loaves bake rye")

    code, out, err = call(fail)

    assert (code, out) == (3, "")
    assert err == (
        "error: No loaf 'rye'.\n"
        "  why: It was eaten.\n"
        "       All of it.\n"
        "  fix: Bake one: treadle loaves bake rye\n"
    )  # fmt: skip


def test_an_error_is_a_problem_document_for_a_program(call):
    def fail(session: Session) -> None:
        raise NotFound("No loaf.", loaf="rye")

    _, out, err = call(fail, "--json")

    assert out == ""
    assert json.loads(err)["code"] == "treadle.not_found"
    assert json.loads(err)["context"] == {"loaf": "rye"}


def test_a_command_may_choose_its_exit_code(call):
    def check(session: Session) -> int:
        return 1

    assert call(check)[0] == 1


def test_shared_options_become_settings(call, tmp_path):
    def show(session: Session) -> None:
        session.out.show(
            {"home": session.settings.home, "from": session.settings.origin_of("home")}, lambda paper: None
        )

    _, out, _ = call(show, "--home", str(tmp_path / "h"), "--json")

    assert json.loads(out) == {"home": str(tmp_path / "h"), "from": "flag --home"}


def test_what_destroys_asks_first(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked = io.StringIO()
    session = Session(Output(stderr=asked), {})

    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    session.confirm("Delete 3 runs?", yes=False)
    assert asked.getvalue() == "Delete 3 runs? [y/N] "

    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    with pytest.raises(NotConfirmed):
        session.confirm("Delete 3 runs?", yes=False)


def test_where_nobody_can_answer_yes_must_be_said_beforehand(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    session = Session(Output(), {})

    session.confirm("Delete?", yes=True)
    with pytest.raises(NotConfirmed) as caught:
        session.confirm("Delete?", yes=False)
    assert "--yes" in caught.value.fix


def test_an_error_of_the_unknown_kind_is_shown_in_full(monkeypatch, capsys):
    module = ModuleType(MODULE)
    module.break_ = lambda session: 1 / 0
    module.break_.__annotations__ = {}
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setattr(entry, "ENTRIES", (Entry("break", "for_tests:break_", "break"),))

    assert entry.main(["break"]) == 9
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["config", "show", "--json"], ["--json", "config", "show"]])
def test_options_may_stand_before_the_command(words, capsys):
    assert entry.main(words) == 0
    assert json.loads(capsys.readouterr().out)["settings"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["confg"], "'config'"), (["config", "shw"], "'config show'"), (["config", "--jsn"], "config show")],
)
def test_an_unknown_command_is_named_with_its_neighbours(words, hint, capsys):
    assert entry.main(words) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(words, capsys):
    assert entry.main(words) == 0
    out = capsys.readouterr().out

    for command in EVERY_DAY:
        assert command.words in out
        assert command.summary in out
    for command in NOUNS:
        assert command.words.partition(" ")[2] in out


@pytest.mark.parametrize("noun", GROUPS)
def test_a_noun_lists_its_commands(noun, capsys):
    assert entry.main([noun, "--help"]) == 0

    assert f"{noun} " in capsys.readouterr().out


@pytest.mark.parametrize("command", ENTRIES, ids=lambda command: command.words)
def test_every_command_of_the_contents_has_its_function_and_its_help(command, capsys):
    assert entry.main([*command.words.split(), "--help"]) == 0

    out = capsys.readouterr().out
    assert f"usage: treadle {command.words}" in out
    assert len(command.words.split()) == (1 if command in EVERY_DAY else 3 if _is_of_a_noun_within(command) else 2)


def _is_of_a_noun_within(command) -> bool:
    """A training set is a thing of features that has verbs of its own."""
    return command.words.split()[:2] == ["features", "training-sets"]


@pytest.mark.parametrize("command", ENTRIES, ids=lambda command: command.words)
def test_every_argument_says_what_it_means(command):
    parser = calling.full_parser(command, calling.load(command))

    assert [action.dest for action in parser._actions if not action.help] == []


def test_every_group_has_commands_and_every_command_its_group():
    assert {command.words.partition(" ")[0] for command in NOUNS} == set(contents.GROUPS)


def test_a_reader_that_goes_away_is_no_error():
    program = "from treadle.faces.cli.entry import main; import sys; sys.exit(main(['config', 'show']))"
    command = f'"{sys.executable}" -c "{program}" | true; exit ${{PIPESTATUS[0]}}'

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
