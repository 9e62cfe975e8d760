"""Bringing a registry in: models and versions under their own names and numbers, with labels, stages, aliases and times.

What an alias stands on and which stage a version is in becomes part of the history here, with the import as the reason.
Nobody who listens to the registry is told: nothing has happened just now.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

from treadle.ground.clock import Clock
from treadle.ground.errors import TreadleError
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.systems.train.moving.records import Left, StoredModel, StoredVersion
from treadle.systems.train.registry.history import STAGED
from treadle.systems.train.registry.lookup import Lookup
from treadle.systems.train.registry.records import ModelLine, ModelVersion
from treadle.systems.train.registry.requests import CreateVersion
from treadle.systems.train.registry.sealing import Drawn, Sealer
from treadle.systems.train.registry.telling import Teller

REASON = "brought in from another store"
_LOGGED_MODEL = re.compile(r"/models/(m-[0-9a-f]{32})/artifacts/?$")


class RegistryImport:
    """See the module."""

    def __init__(self, store: Store, refs: Refs, events: EventLog, sealer: Sealer, clock: Clock) -> None:
        self._store, self._refs, self._sealer, self._clock = store, refs, sealer, clock
        self._lookup, self._teller = Lookup(refs), Teller(events, None)

    def bring(
        self, caller: Caller, model: StoredModel, counts: Counter[str], left: list[Left], is_dry_run: bool
    ) -> None:
        """Brings a model with those of its versions that are not here."""
        with self._store.read() as reader:
            line = self._lookup.lines.find(reader, caller.project, model.name)
            known = set()
            if line is not None:
                known = {one.number for one in self._lookup.rows.of_model(reader, caller.project, line.line)}
        fresh = [version for version in model.versions if version.number not in known]
        counts["models"] += line is None
        counts["versions"] += len(fresh)
        if is_dry_run:
            return
        found = line or self._store.write(lambda tx: self._create(tx, caller, model))
        for version in fresh:
            drawn = self._drawn(caller, model, version, left)
            self._store.write(lambda tx, v=version, d=drawn: self._add(tx, caller, found, v, d))  # type: ignore[misc]
        if line is None or fresh:
            self._store.write(lambda tx: self._finish(tx, caller, found, model))

    def _create(self, tx: Transaction, caller: Caller, model: StoredModel) -> ModelLine:
        made = self._lookup.lines.add(
            tx,
            caller.project,
            model.name,
            description=model.description,
            created_ms=model.created_ms,
            actor=caller.actor,
        )
        if made is None:
            return self._lookup.line(tx, caller.project, model.name)
        self._lookup.tags.set(tx, caller.project, made.line, 0, model.tags)
        self._teller.created(tx, caller, made, model.tags)
        return made

    def _drawn(self, caller: Caller, model: StoredModel, version: StoredVersion, left: list[Left]) -> Drawn:
        source = source_here(version)
        request = CreateVersion(
            model=model.name,
            source=source,
            run_id=version.run_id,
            run_link=version.run_link,
            logged_model=version.logged_model,
            description=version.description,
            tags=version.tags,
        )
        try:
            return self._sealer.draw(caller.project, request)
        except TreadleError as error:
            left.append(Left(what=f"files of version {version.number} of {model.name}", why=error.what))
            return Drawn(source=source, run_id=version.run_id, logged_model=version.logged_model)

    def _add(self, tx: Transaction, caller: Caller, line: ModelLine, stored: StoredVersion, drawn: Drawn) -> None:
        location = self._sealer.seal(tx, caller.project, drawn, caller.actor)
        origin = drawn.origin
        version = ModelVersion(
            project=caller.project,
            model=line.name,
            line=line.line,
            number=stored.number,
            digest=drawn.digest,
            signature=drawn.signature,
            metrics={} if origin is None else origin.metrics,
            data={} if origin is None else origin.data,
            description=stored.description,
            run=None if origin is None else origin.run,
            actor=caller.actor,
            recorded_at=self._clock(),
            stage=stored.stage,
            source=drawn.source,
            location=location,
            run_id=stored.run_id,
            run_link=stored.run_link,
            logged_model=stored.logged_model,
            size_bytes=drawn.size_bytes,
            facts=drawn.facts,
            created_ms=stored.created_ms,
            updated_ms=stored.updated_ms,
        )
        if not self._lookup.rows.add(tx, version):
            return
        self._lookup.tags.set(tx, caller.project, line.line, stored.number, stored.tags)
        body = {"digest": version.digest, "source": version.source, "bytes": version.size_bytes, "reason": REASON}
        self._teller.registered(tx, caller, version, stored.tags, body)
        if stored.stage != "None":
            moved = {"from": "None", "to": stored.stage, "reason": REASON}
            self._teller.tell(tx, caller, STAGED, version.subject, moved)

    def _finish(self, tx: Transaction, caller: Caller, line: ModelLine, model: StoredModel) -> None:
        """Aliases, and the times as they were: what stands here already is left alone."""
        aliases = self._lookup.aliases(tx, caller.project, line)
        for alias, number in model.aliases.items():
            version = self._lookup.rows.find(tx, caller.project, line.line, number)
            if alias not in aliases and version is not None:
                self._refs.move(
                    tx, caller.project, line.alias_ref(alias), version.subject, actor=caller.actor, reason=REASON
                )
        self._lookup.lines.describe(tx, caller.project, line.line, model.description, model.updated_ms)


def source_here(version: StoredVersion) -> str:
    """What a version's source says here: a place among the store's own files is said by its run or its logged model."""
    source = version.source
    if urlsplit(source).scheme not in ("", "file", "mlflow-artifacts"):
        return source
    model = _LOGGED_MODEL.search(source)
    if model is not None and version.logged_model in (None, model[1]):
        return f"models:/{model[1]}"
    _, mark, path = source.partition(f"/{version.run_id}/artifacts/") if version.run_id else ("", "", "")
    return f"runs:/{version.run_id}/{path}" if mark else source
