"""Definitions as they were registered, brought back from their descriptions, without the project's code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.kernel.artifacts import Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.store import Reader, Store
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.features.expressions import digest_of_description
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.service import SERVICE, VIEW
from treadle.systems.features.views import (
    FeatureService,
    FeatureView,
    service_from_description,
    view_from_description,
)

AnyView = FeatureView | OnDemandView


class Registered:
    """The views and services of a store, of now and of any time before."""

    def __init__(self, store: Store, refs: Refs, artifacts: Artifacts) -> None:
        self._store, self._refs, self._artifacts, self._rows = store, refs, artifacts, ArtifactRows()

    def names(self, project: str) -> tuple[list[str], list[str]]:
        """The names of all views, and of all services."""
        with self._store.read() as reader:
            views, services = (
                [ref.name.removeprefix(kind) for ref in self._refs.list(reader, project, kind)]
                for kind in (VIEW, SERVICE)
            )
        return views, services

    def find(self, project: str, name: str) -> AnyView | FeatureService:
        """A view, or else a service, as it is registered now. Raises FeatureViewNotFound."""
        with self._store.read() as reader:
            for kind in (VIEW, SERVICE):
                ref = self._refs.find(reader, project, kind + name)
                if ref is not None:
                    described = self._described(reader, project, ref.target)
                    if kind == VIEW:
                        return view_from_description(described)
                    return self._service(reader, project, described)
            known = [ref.name.partition("/")[2] for ref in self._refs.list(reader, project, "feature_")]
        raise FeatureViewNotFound(
            f"There is no feature view or service {name!r}.", fix=did_you_mean(name, known), name=name
        )

    def service(self, project: str, name: str, digest: str | None = None) -> FeatureService:
        """A service as it is registered now, or in the version of that digest. Raises FeatureViewNotFound."""
        with self._store.read() as reader:
            for move in reversed(self._refs.history(reader, project, SERVICE + name)):
                if move.target is None:
                    continue
                found = self._service(reader, project, self._described(reader, project, move.target))
                if digest is None or found.digest == digest:
                    return found
            known = [ref.name.partition("/")[2] for ref in self._refs.list(reader, project, SERVICE)]
        raise FeatureViewNotFound(
            f"There is no feature service {name!r}{'' if digest is None else f' of the version {digest[:19]}…'}.",
            fix=did_you_mean(name, known),
            name=name,
        )

    def view(self, project: str, name: str, digest: str) -> AnyView:
        """A view in the version of that digest. Raises FeatureViewNotFound."""
        with self._store.read() as reader:
            return self._view(reader, project, name, digest)

    def _service(self, reader: Reader, project: str, described: Mapping[str, Any]) -> FeatureService:
        named = [*described["views"], *described["on_demand"]]
        return service_from_description(described, [self._view(reader, project, *one) for one in named])

    def _view(self, reader: Reader, project: str, name: str, digest: str) -> AnyView:
        for move in reversed(self._refs.history(reader, project, VIEW + name)):
            described = None if move.target is None else self._described(reader, project, move.target)
            if described is not None and digest_of_description(described) == digest:
                return view_from_description(described)
        raise FeatureViewNotFound(
            f"The feature view {name!r} is no longer recorded in the version {digest[:19]}….",
            fix="Register the service anew, with the views as they are.",
            name=name,
        )

    def _described(self, reader: Reader, project: str, target: str) -> dict[str, Any]:
        found: dict[str, Any] = self._artifacts.load(self._rows.get(reader, project, target))
        return found
