"""A verb is written once.

A verb is a method of a service: `def name(self, caller: Caller, request: Request) -> Answer`, or without a request where
it needs none. `@verb` checks the caller's permission before the method runs, so there is no way around it, and puts the
declaration where the HTTP route, the remote client, OpenAPI and the reference pages are derived from it.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from treadle.kernel.governance.callers import Caller

F = TypeVar("F", bound=Callable[..., Any])

Shape = Literal["unary", "stream", "run"]
"""`unary` answers once; `stream` yields (progress, logs, bytes); `run` starts a run and answers it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """The declaration of a verb. `name` is `noun.verb`; `event` is the kind of event that it leaves, if any."""

    name: str
    permission: str
    event: str | None
    shape: Shape
    function: Callable[..., Any]

    @property
    def noun(self) -> str:
        return self.name.partition(".")[0]

    @property
    def action(self) -> str:
        return self.name.partition(".")[2]

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return self.permission.endswith(".read")

    @property
    def summary(self) -> str:
        """The first line of the method's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def request_type(self) -> type[Any] | None:
        """The type of the request, or None when the verb takes none."""
        names = list(inspect.signature(self.function).parameters)
        return None if len(names) < 3 else typing.get_type_hints(self.function)[names[2]]

    def answer_type(self) -> Any:
        """The type of the answer; for a stream, that of one item."""
        answer = typing.get_type_hints(self.function).get("return", type(None))
        if self.shape == "stream" and typing.get_args(answer):
            return typing.get_args(answer)[0]
        return answer


_declared: dict[str, Verb] = {}


def verb(name: str, *, permission: str, event: str | None = None, shape: Shape = "unary") -> Callable[[F], F]:
    """Declares a method of a service to be the verb `noun.verb`. Raises ValueError when the name is taken."""

    def declare(function: F) -> F:
        taken = _declared.get(name)
        if taken is not None and taken.function.__qualname__ != function.__qualname__:
            raise ValueError(
                f"the verb {name!r} is declared twice: {taken.function.__qualname__}, {function.__qualname__}"
            )

        @functools.wraps(function)
        def checked(self: Any, caller: Caller, *request: Any, **named: Any) -> Any:
            caller.require(permission)
            return function(self, caller, *request, **named)

        declaration = Verb(name=name, permission=permission, event=event, shape=shape, function=function)
        checked.__treadle_verb__ = declaration  # type: ignore[attr-defined]
        _declared[name] = declaration
        return typing.cast("F", checked)

    return declare


def declared() -> dict[str, Verb]:
    """Every verb declared so far by name: those of the modules that have been imported."""
    return dict(sorted(_declared.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A verb together with the service that does it."""

    verb: Verb
    call: Callable[..., Any]


def bind(services: Iterable[object]) -> dict[str, Bound]:
    """The verbs of some services by name."""
    bound: dict[str, Bound] = {}
    for service in services:
        for attribute in dir(type(service)):
            found = getattr(getattr(type(service), attribute), "__treadle_verb__", None)
            if found is not None:
                bound[found.name] = Bound(verb=found, call=getattr(service, attribute))
    return dict(sorted(bound.items()))
