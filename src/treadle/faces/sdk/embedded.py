"""The transport of one process: the services themselves, on behalf of one caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from treadle.kernel.governance import Bound, Caller, Verb


class InProcess:
    """Calls the services of this process.

    closing: what gives them back (stores, pools); called once, by `close`.
    """

    def __init__(self, bound: Mapping[str, Bound], caller: Caller, closing: Callable[[], None] = lambda: None) -> None:
        self._bound, self._caller, self._closing = bound, caller, closing
        self.verbs = {name: entry.verb for name, entry in bound.items()}

    def invoke(self, verb: Verb, request: Any) -> Any:
        return self._bound[verb.name].call(self._caller, *(() if request is None else (request,)))

    def stream(self, verb: Verb, request: Any) -> Iterator[Any]:
        return iter(self.invoke(verb, request))

    def close(self) -> None:
        self._closing()
        self._closing = lambda: None
