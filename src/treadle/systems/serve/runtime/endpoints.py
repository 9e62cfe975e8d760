"""The endpoints that this process serves: loaded from route documents, watched, swapped whole.

`LiveEndpoint` is what a request meets: immutable, so a request keeps the one that it began with while the next is already
in force. `RouteTable` watches the pointers by their file status, loads aside, and swaps; a document that cannot be served
is reported and leaves the old one in its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.description import describe
from treadle.systems.serve.runtime.documents import (
    ENDPOINT_NAME,
    Limits,
    RouteDocument,
    RouteRevision,
    read_document,
    share_of,
)
from treadle.systems.serve.runtime.errors import BadDocument
from treadle.systems.serve.runtime.log import Context, LoggedColumn
from treadle.systems.serve.runtime.models import ServedModel, load_model
from treadle.systems.serve.runtime.row_facts import RowFacts
from treadle.systems.serve.runtime.statistics import Figures
from treadle.wire.oip import ModelMetadata

RETRY_AFTER_S = 2.0
"""How long a document that failed rests before it is tried again; a new pointer is tried at once."""


@dataclass(frozen=True, slots=True)
class LiveRevision:
    """One loaded revision."""

    number: int
    model_version: str
    model: ServedModel
    context: Context
    upper: float
    """Units whose share lies below this, and not below the revision before, are its own."""
    figures: Figures
    """What its model version has done here; shared with the revisions before it that served the same version."""


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """What an endpoint serves from one swap to the next."""

    name: str
    document: RouteDocument
    revisions: tuple[LiveRevision, ...]
    metadata: dict[str | None, ModelMetadata]
    """What the endpoint says of itself, by model version; None is that of the endpoint itself."""
    shadows: tuple[LiveRevision, ...] = ()
    """Revisions that get copies; `upper` is the share of the requests that they get."""

    @property
    def limits(self) -> Limits:
        return self.document.limits

    def of_version(self, version: str) -> LiveRevision | None:
        """The newest revision that serves a model version."""
        serving = [revision for revision in self.revisions if revision.model_version == version]
        return max(serving, key=lambda revision: revision.number, default=None)

    def pick(self, unit: str) -> LiveRevision:
        """The revision of a unit: the same one as long as the split is the same."""
        if len(self.revisions) == 1:
            return self.revisions[0]
        share = share_of(self.document.split_salt, unit)
        return next((revision for revision in self.revisions if share < revision.upper), self.revisions[-1])

    def parts(self, facts: RowFacts, fallback_unit: str) -> list[tuple[LiveRevision, list[int]]]:
        """The revisions that serve a request, each with its rows; a single one with no list stands for all of them.

        A request is one unit when it says so (`unit`) or names no entities; otherwise each row goes with its entity.
        """
        if facts.unit is not None or facts.entity is None:
            return [(self.pick(facts.unit or fallback_unit), [])]
        rows: dict[int, tuple[LiveRevision, list[int]]] = {}
        for row, entity in enumerate(facts.entity):
            revision = self.pick(entity)
            rows.setdefault(revision.number, (revision, []))[1].append(row)
        return [rows[number] for number in sorted(rows)]


@dataclass(slots=True)
class _Watched:
    stat: tuple[int, int, int] | None = None
    failed_at: float | None = None
    error: str | None = None
    is_unloaded: bool = False
    """Taken out of service by hand; the next document, or the hand that took it, brings it back."""


@dataclass(slots=True)
class RouteTable:
    """All endpoints of a serving area. `live` is replaced, never changed, so a reader needs no lock."""

    serving: Path
    server: str
    monotonic: Callable[[], float] = time.monotonic
    live: dict[str, LiveEndpoint] = field(default_factory=dict)
    swaps: int = 0
    figures: dict[tuple[str, str], Figures] = field(default_factory=dict)
    """By endpoint and model version."""
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _contexts: Iterable[int] = field(default_factory=lambda: count(1))

    @property
    def failures(self) -> dict[str, str]:
        """The newest document of an endpoint that cannot be served, in one sentence; the old one serves on."""
        return {name: watched.error for name, watched in self._watched.items() if watched.error is not None}

    def changed(self) -> list[str]:
        """Endpoints whose pointer is another than the one tried last, or whose failure is due again. Cost: a stat each."""
        now = self.monotonic()
        names = []
        for name in self._names():
            watched = self._watched.setdefault(name, _Watched())
            status = self._stat(name)
            if status is None:
                continue  # A pointer that vanished changes nothing: the last good document outlives its writer.
            due = watched.failed_at is not None and now - watched.failed_at >= RETRY_AFTER_S
            if status != watched.stat or due:
                names.append(name)
        return names

    def load(self, name: str) -> LiveEndpoint | None:
        """The endpoint as its document in force says, loaded and probed; None, and a failure noted, when it cannot be
        served. May run in a thread beside requests."""
        watched = self._watched.setdefault(name, _Watched())
        watched.stat = self._stat(name)
        try:
            endpoint = self._load(name)
        except (TreadleError, ValueError, OSError) as error:
            watched.failed_at = self.monotonic()
            watched.error = " ".join(error.sentences()) if isinstance(error, TreadleError) else str(error)
            return None
        watched.failed_at = watched.error = None
        watched.is_unloaded = False
        return endpoint

    def unload(self, name: str) -> None:
        """Takes an endpoint out of service until its next document, or until it is loaded; requests in flight are
        answered."""
        self._watched[name].is_unloaded = True
        self.live = {other: endpoint for other, endpoint in self.live.items() if other != name}

    def unloaded(self) -> list[str]:
        """The endpoints that were taken out of service."""
        return [name for name, watched in self._watched.items() if watched.is_unloaded]

    def is_known(self, name: str) -> bool:
        """Whether the serving area has a document for an endpoint of that name."""
        return ENDPOINT_NAME.fullmatch(name) is not None and self._stat(name) is not None

    def swap(self, endpoint: LiveEndpoint) -> None:
        """Puts an endpoint in force; requests in flight keep the one that they have."""
        self.live = {**self.live, endpoint.name: endpoint}
        self.swaps += 1

    def _load(self, name: str) -> LiveEndpoint:
        document = read_document(self.serving / "routes", name)
        before = self.live.get(name)
        loaded = {revision.model.bundle: revision.model for revision in before.revisions} if before else {}
        for shadow in before.shadows if before else ():
            loaded[shadow.model.bundle] = shadow.model
        revisions, upper = [], 0.0
        for route in document.revisions:
            upper += route.weight
            revisions.append(self._revision(document, route, upper, loaded))
        shadows = [self._revision(document, route, route.weight, loaded) for route in document.shadows]
        _refuse_unlike([*revisions, *shadows])
        return LiveEndpoint(name, document, tuple(revisions), _metadata(document, revisions), tuple(shadows))

    def _revision(
        self, document: RouteDocument, route: RouteRevision, upper: float, loaded: dict[str, ServedModel]
    ) -> LiveRevision:
        """A revision with its model, which is loaded and tried unless it is in `loaded` already."""
        model = loaded.get(route.bundle)
        if model is None or model.engine.threads != route.threads:
            model = load_model(self.serving / "models", route.bundle, threads=route.threads)
            loaded[route.bundle] = model
        context = make_context(next(iter(self._contexts)), self.server, document, route.number, model)
        figures = self.figures.setdefault((document.endpoint, route.model_version), Figures())
        return LiveRevision(route.number, route.model_version, model, context, upper, figures)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in (self.serving / "routes").iterdir() if ENDPOINT_NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []

    def _stat(self, name: str) -> tuple[int, int, int] | None:
        try:
            status = (self.serving / "routes" / name / "current").stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def _refuse_unlike(revisions: list[LiveRevision]) -> None:
    """Raises BadDocument when the revisions of a split do not take the same inputs or give the same outputs."""
    shapes = {revision.model.signature.shape() for revision in revisions}
    if len(shapes) > 1:
        raise BadDocument(
            "The revisions of a split take different inputs, or give different outputs.",
            fix="Split only between models with the same input names and datatypes, task and classes.",
        )


def make_context(number: int, server: str, document: RouteDocument, revision: int, model: ServedModel) -> Context:
    """What the log says once about the calls of a revision."""
    route = next(route for route in (*document.revisions, *document.shadows) if route.number == revision)
    columns = tuple(LoggedColumn(one.name, one.datatype, one.categories) for one in model.signature.inputs)
    return Context(
        number=number,
        server=server,
        endpoint=document.endpoint,
        revision=route.revision,
        revision_number=route.number,
        model=route.model,
        model_version=route.model_version,
        model_digest=model.manifest.model_digest,
        bundle=model.bundle,
        engine=model.engine.name,
        engine_version=model.engine.version,
        threads=model.engine.threads,
        width=model.signature.width,
        columns=columns,
        route_number=document.number,
        is_shadow=any(shadow.number == revision for shadow in document.shadows),
    )


def _metadata(document: RouteDocument, revisions: list[LiveRevision]) -> dict[str | None, ModelMetadata]:
    """The protocol's metadata: the endpoint's own is that of its heaviest revision."""
    versions = tuple(dict.fromkeys(revision.model_version for revision in revisions))
    heaviest = max(zip(document.revisions, revisions, strict=True), key=lambda pair: pair[0].weight)[1]
    answers: dict[str | None, ModelMetadata] = {
        revision.model_version: describe(document, versions, revision.model) for revision in revisions
    }
    return {**answers, None: describe(document, versions, heaviest.model)}
