"""The rows of revisions and routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json, of_bytes
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.serve.records import Revision, Route, RouteKind
from treadle.systems.serve.runtime.documents import RouteDocument

sql = Statements(__package__)


class RevisionRows:
    """Finds and records revisions."""

    def of_endpoint(self, reader: Reader, project: str, endpoint: str) -> list[Revision]:
        """All revisions, oldest first."""
        return [_revision(row) for row in reader.all(sql.revisions_of, {"project": project, "endpoint": endpoint})]

    def add(self, tx: Transaction, project: str, revision: Revision) -> bool:
        """Whether it stands; False when another took the number."""
        values = {
            "project": project,
            "endpoint": revision.endpoint,
            "number": revision.number,
            "id": revision.id,
            "model": revision.model,
            "model_version": revision.model_version,
            "model_digest": revision.model_digest,
            "engine": revision.engine,
            "bundle": revision.bundle,
            "threads": revision.threads,
            "actor": revision.actor,
            "recorded_at": to_micros(revision.recorded_at),
        }
        return tx.execute(sql.insert_revision, values) == 1

    def deployed_digests(self, reader: Reader, project: str) -> list[str]:
        """The digests of all models that were ever deployed: what clean-up must keep for a rollback."""
        return [row[0] for row in reader.all(sql.deployed_digests, {"project": project})]


class RouteRows:
    """Finds and records routes."""

    def newest(self, reader: Reader, project: str, endpoint: str) -> tuple[Route, RouteDocument] | None:
        """What the endpoint should serve now, or None when it was never deployed."""
        return _pair(reader.find(sql.newest_route, {"project": project, "endpoint": endpoint}))

    def find(self, reader: Reader, project: str, endpoint: str, number: int) -> tuple[Route, RouteDocument] | None:
        """The route of that number, or None."""
        return _pair(reader.find(sql.find_route, {"project": project, "endpoint": endpoint, "number": number}))

    def of_endpoint(self, reader: Reader, project: str, endpoint: str) -> list[Route]:
        """All routes, oldest first."""
        rows = reader.all(sql.routes_of, {"project": project, "endpoint": endpoint})
        return [_route(row, _document(row)) for row in rows]

    def endpoints(self, reader: Reader, project: str) -> list[tuple[str, datetime]]:
        """(name, first deployed at) of every endpoint, by name."""
        rows = reader.all(sql.endpoint_names, {"project": project})
        return [(name, from_micros(at)) for name, at in rows]

    def add(
        self,
        tx: Transaction,
        project: str,
        document: RouteDocument,
        *,
        kind: RouteKind,
        restores: int | None,
        reason: str,
        actor: str,
        at: datetime,
    ) -> Route | None:
        """The route as recorded; None when another took the number."""
        content = canonical_json(document)
        values: dict[str, Any] = {
            "project": project,
            "endpoint": document.endpoint,
            "number": document.number,
            "digest": of_bytes(content),
            "document": content.decode(),
            "kind": kind,
            "restores": restores,
            "reason": reason,
            "actor": actor,
            "recorded_at": to_micros(at),
        }
        if tx.execute(sql.insert_route, values) != 1:
            return None
        row = tuple(values[name] for name in _ROUTE_COLUMNS)
        return _route(row, document)


_ROUTE_COLUMNS = ("endpoint", "number", "digest", "document", "kind", "restores", "reason", "actor", "recorded_at")


def _document(row: Row) -> RouteDocument:
    return msgspec.json.decode(row[3], type=RouteDocument)


def _pair(row: Row | None) -> tuple[Route, RouteDocument] | None:
    if row is None:
        return None
    document = _document(row)
    return _route(row, document), document


def _route(row: Row, document: RouteDocument) -> Route:
    endpoint, number, digest, _, kind, restores, reason, actor, recorded_at = row
    return Route(
        endpoint=endpoint,
        number=number,
        digest=digest,
        kind=kind,
        weights={str(revision.number): revision.weight for revision in document.revisions},
        shadows={str(shadow.number): shadow.weight for shadow in document.shadows},
        is_drained=document.is_drained,
        allow_backdating=document.allow_backdating,
        limits=msgspec.structs.asdict(document.limits),
        restores=restores,
        reason=reason,
        actor=actor,
        recorded_at=from_micros(recorded_at),
    )


def _revision(row: Row) -> Revision:
    id, endpoint, number, model, version, digest, engine, bundle, threads, actor, recorded_at = row
    return Revision(
        id=id,
        endpoint=endpoint,
        number=number,
        model=model,
        model_version=version,
        model_digest=digest,
        engine=engine,
        bundle=bundle,
        threads=threads,
        actor=actor,
        recorded_at=from_micros(recorded_at),
    )
