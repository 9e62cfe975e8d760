"""The client: every verb as a method, by noun and action.

`client.datasets.land(name="flights", …)` is the verb `datasets.land`. The client knows no verb by itself: it reads their
declarations, so a verb that a service gains is here, in the API and in the reference at once. How a request travels is the
transport's affair; both transports pass one conformance suite (tests/faces/test_client_conformance.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from treadle.faces.requests import from_fields
from treadle.faces.sdk.verbs import Verbs
from treadle.ground.errors import did_you_mean
from treadle.kernel.governance import Verb


class Transport(Protocol):
    """How a request reaches the service that does it."""

    def invoke(self, verb: Verb, request: Any) -> Any:
        """The answer of a verb. Raises the service's own error."""

    def stream(self, verb: Verb, request: Any) -> Iterator[Any]:
        """The items of a verb that streams, as they come. Raises the service's own error, also in the middle."""

    def close(self) -> None:
        """Gives back what the transport holds."""


class Client:
    """Calls verbs over a transport. Use it as a context manager, or close it."""

    def __init__(self, transport: Transport, verbs: Verbs) -> None:
        self._transport, self._verbs = transport, verbs

    def call(self, name: str, request: Any = None, /, **fields: object) -> Any:
        """The answer of the verb `noun.action`; for one that streams, an iterator.

        The request is given whole or as its fields. Raises VerbNotFound, RequestInvalid, or what the service raises.
        """
        verb = self._verbs.find(name)
        if request is None:
            request = from_fields(verb, fields)
        elif fields:
            raise TypeError("give the request whole or as fields, not both")
        if verb.shape == "stream":
            return self._transport.stream(verb, request)
        return self._transport.invoke(verb, request)

    def __getattr__(self, noun: str) -> Noun:
        if noun.startswith("_") or noun not in self._verbs.nouns:
            raise AttributeError(_hint(noun, self._verbs.nouns))
        return Noun(self, noun, list(self._verbs.of(noun)))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._verbs.nouns})

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what the transport holds."""
        self._transport.close()


class Noun:
    """The verbs of one noun."""

    def __init__(self, client: Client, name: str, actions: list[str]) -> None:
        self._client, self._name, self._actions = client, name, actions

    def __getattr__(self, action: str) -> Call:
        if action not in self._actions:
            raise AttributeError(_hint(f"{self._name}.{action}", [f"{self._name}.{known}" for known in self._actions]))
        return Call(self._client, f"{self._name}.{action}")

    def __dir__(self) -> list[str]:
        return sorted(self._actions)


class Call:
    """One verb, ready to be called with a request or its fields."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name

    def __call__(self, request: Any = None, /, **fields: object) -> Any:
        return self._client.call(self._name, request, **fields)


def _hint(name: str, known: list[str]) -> str:
    return f"there is no verb {name!r}. {did_you_mean(name, known)}".rstrip()
