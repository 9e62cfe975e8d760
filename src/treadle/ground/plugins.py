"""Parts that come from other distributions, found by name and imported when used.

A distribution offers them as entry points (`[project.entry-points."treadle.connectors"]`). Our own parts are named in
the same way, by `module:attribute`, so that a part of ours and a part of anyone's are chosen alike and neither is
imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from treadle.ground.errors import NotFound, Unavailable, did_you_mean


class PluginNotFound(NotFound):
    """No part of this name is installed."""

    code = "plugins.not_found"


class PluginBroken(Unavailable):
    """A part is installed, and cannot be imported."""

    code, status, retryable = "plugins.broken", 500, False


class Plugins:
    """The parts of one group, such as `treadle.connectors`: ours, and those of installed distributions.

    ours: name to `module:attribute`. A distribution cannot replace a name of ours.
    """

    def __init__(self, group: str, ours: Mapping[str, str]) -> None:
        self.group, self._ours = group, dict(ours)

    def names(self) -> list[str]:
        """The names of all parts, sorted. Reads the metadata of the installed distributions, imports no part."""
        return sorted(self._ours.keys() | self._theirs().keys())

    def load(self, name: str) -> Any:
        """The part itself. Raises PluginNotFound, or PluginBroken with the import's own reason."""
        reference = self._ours.get(name) or self._theirs().get(name)
        if reference is None:
            raise PluginNotFound(
                f"There is no {name!r} among {self.group}.",
                why=did_you_mean(name, self.names()),
                fix=f"Install the distribution that offers it under the entry point group {self.group!r}.",
                group=self.group,
                name=name,
            )
        module, _, attribute = reference.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise PluginBroken(
                f"The part {name!r} of {self.group} cannot be imported.",
                why=f"{reference}: {error}",
                fix="Update or remove the distribution that offers it.",
                group=self.group,
                name=name,
            ) from error

    def _theirs(self) -> dict[str, str]:
        from importlib.metadata import entry_points

        return {point.name: point.value for point in entry_points(group=self.group)}
