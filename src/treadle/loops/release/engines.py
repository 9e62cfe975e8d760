"""The verb that shows in which forms a version was offered, how they compare, and which of them serves."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.kernel.governance import Caller, verb
from treadle.loops.release.servable import RegisteredModels
from treadle.systems.serve.conversion.records import Choice
from treadle.systems.train.registry.requests import VersionNamed


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEngines:
    """What was found about the forms of a version; None where it was registered without comparing any."""

    model: str
    version: int
    choice: Choice | None


class Engines:
    """See the module."""

    def __init__(self, models: RegisteredModels) -> None:
        self._models = models

    @verb("engines.get", permission="model.read")
    def get(self, caller: Caller, request: VersionNamed) -> VersionEngines:
        """The forms in which a version was offered when it was registered: difference from the original, labels that
        flip, microseconds a call by its rows, and the one that serves. Raises ModelNotFound, ModelVersionNotFound."""
        version = self._models.version(caller.project, request.model, request.version)
        return VersionEngines(model=version.model, version=version.number, choice=self._models.choice(version))
