"""`treadle users` and `treadle tokens`, as they are typed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.faces.cli import entry
from treadle.kernel.governance.identity import secrets

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types a command with some lines on its input; answers exit code, output, errors."""
    monkeypatch.setattr(secrets, "_LOG_N", 4)

    def call(*words: str, lines: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        code = entry.main([*words, "--home", str(tmp_path / "home")])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def answer(typed: Typed, *words: str, lines: str = "") -> Any:
    code, out, err = typed(*words, "--json", lines=lines)
    assert code == 0, err
    return json.loads(out)


def test_a_user_is_added_shown_and_removed(typed):
    added = answer(typed, "users", "add", "ada", "--role", "admin", "--password-stdin", lines="a long sentence\n")
    listed = answer(typed, "users", "list")
    typed("users", "remove", "ada", "--yes")

    assert (added["roles"], added["has_password"]) == ({"*": "admin"}, True)
    assert [user["name"] for user in listed] == ["ada"]
    assert answer(typed, "users", "list") == []


def test_a_token_is_told_once_and_can_be_revoked(typed):
    typed("users", "add", "robot", "--no-password", "--only-in", "bread", "--only-in", "cake")
    made = answer(typed, "tokens", "create", "robot", "--label", "ci", "--days", "0")
    listed = answer(typed, "tokens", "list")
    typed("tokens", "revoke", made["token"]["id"])

    assert made["text"].startswith("tdl_")
    assert listed == [made["token"]]
    assert (listed[0]["label"], listed[0]["expires_at"]) == ("ci", None)
    assert answer(typed, "tokens", "list") == []


@pytest.mark.parametrize(
    ("words", "lines", "code", "error"),
    [
        (("users", "add", "ada"), "", 2, "Nobody is there"),
        (("users", "add", "ada", "--password-stdin"), "short\n", 2, "fewer than 12"),
        (("users", "add", "Ada!", "--no-password"), "", 2, "cannot be a user's name"),
        (("users", "add", "ada", "--no-password", "--role", "king"), "", 2, "There is no role 'king'"),
        (("users", "remove", "ada", "--yes"), "", 3, "There is no user 'ada'"),
        (("users", "remove", "ada"), "", 5, "every token of theirs"),
        (("tokens", "create", "ada"), "", 3, "There is no user 'ada'"),
        (("tokens", "create", "ada", "--days", "-1"), "", 2, "cannot hold"),
        (("tokens", "revoke", "tok_x"), "", 3, "There is no token"),
    ],
)
def test_what_cannot_be_is_said(typed, words, lines, code, error):
    done, _, err = typed(*words, lines=lines)

    assert done == code
    assert error in err


def test_a_name_is_taken_once(typed):
    typed("users", "add", "ada", "--no-password")

    code, _, err = typed("users", "add", "ada", "--no-password")

    assert (code, "already" in err) == (4, True)
