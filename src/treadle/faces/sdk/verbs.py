"""The verbs that a client can call, known by noun and imported when a noun is first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from treadle.faces.requests import VerbNotFound
from treadle.ground.errors import did_you_mean
from treadle.kernel.governance import Verb, declared


class Verbs:
    """The declarations of some nouns.

    modules: by noun, the modules whose import declares its verbs.
    """

    def __init__(self, modules: Mapping[str, Sequence[str]]) -> None:
        self._modules = modules
        self._found: dict[str, Verb] = {}

    @property
    def nouns(self) -> list[str]:
        """Every noun, sorted."""
        return sorted(self._modules)

    def of(self, noun: str) -> dict[str, Verb]:
        """The verbs of a noun by action; none for an unknown noun."""
        if noun not in self._modules:
            return {}
        for module in self._modules[noun]:
            import_module(module)
        return {verb.action: verb for verb in declared().values() if verb.noun == noun}

    def find(self, name: str) -> Verb:
        """The verb `noun.action`. Raises VerbNotFound with the closest names."""
        if name in self._found:
            return self._found[name]
        noun, _, action = name.partition(".")
        actions = self.of(noun)
        if action in actions:
            return self._found.setdefault(name, actions[action])
        near = [f"{noun}.{known}" for known in actions] or self.nouns
        raise VerbNotFound(f"There is no verb {name!r}.", why=did_you_mean(name if actions else noun, near), verb=name)
