"""The transport of one process: the services themselves, on behalf of one caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from treadle.kernel.governance import Caller, Verb


class InProcess:
    """Calls the services of this process.

    service_of: the service that does a verb; asked when the verb is called, so that a service which nobody
    calls is never made. closing: gives the services back; called once, by `close`.
    """

    def __init__(
        self, service_of: Callable[[Verb], object], caller: Caller, closing: Callable[[], None] = lambda: None
    ) -> None:
        self._service_of, self._caller, self._closing = service_of, caller, closing

    def invoke(self, verb: Verb, request: Any) -> Any:
        method = getattr(self._service_of(verb), verb.function.__name__)
        return method(self._caller, *(() if request is None else (request,)))

    def stream(self, verb: Verb, request: Any) -> Iterator[Any]:
        return iter(self.invoke(verb, request))

    def close(self) -> None:
        self._closing()
        self._closing = lambda: None
