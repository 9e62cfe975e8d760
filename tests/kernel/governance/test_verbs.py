"""A verb is declared once, and cannot be reached unchecked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from treadle.kernel.governance import Caller, PermissionDenied, bind, declared, verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet:
    name: str


class Greeter:
    """A service with two verbs."""

    @verb("greetings.say", permission="greeting.write", event="greeting.said")
    def say(self, caller: Caller, request: Greet) -> str:
        """The greeting."""
        return f"{caller.actor} greets {request.name}"

    @verb("greetings.count", permission="greeting.read")
    def count(self, caller: Caller) -> int:
        """How many."""
        return 0


def caller(*permissions: str) -> Caller:
    return Caller(project="p", actor="ada", permissions=frozenset(permissions))


@pytest.mark.parametrize("granted", ["greeting.write", "greeting.*", "*"])
def test_a_caller_with_the_permission_is_let_through(granted: str) -> None:
    assert Greeter().say(caller(granted), Greet(name="ben")) == "ada greets ben"


@pytest.mark.parametrize("granted", ["greeting.read", "greetings.write", "other.*", ""])
def test_a_caller_without_the_permission_is_refused(granted: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        Greeter().say(caller(granted), Greet(name="ben"))

    assert "greeting.write" in refused.value.why


def test_a_verb_says_what_it_takes_and_gives() -> None:
    found = declared()["greetings.say"]

    assert (found.noun, found.action, found.event) == ("greetings", "say", "greeting.said")
    assert (found.request_type(), found.answer_type()) == (Greet, str)
    assert found.summary == "The greeting."
    assert declared()["greetings.count"].request_type() is None
    assert (found.is_read, declared()["greetings.count"].is_read) == (False, True)


def test_bound_verbs_are_checked_too() -> None:
    bound = bind([Greeter()])

    with pytest.raises(PermissionDenied):
        bound["greetings.say"].call(caller(), Greet(name="ben"))


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):

        class _Other:
            @verb("greetings.say", permission="greeting.read")
            def say(self, caller: Caller) -> None: ...
