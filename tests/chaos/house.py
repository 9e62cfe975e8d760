"""Store, artifacts, engine and registry of one life; opened after the fork, as a fresh process would."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import EvidenceRows, Refs
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.observing import observe
from treadle.kernel.engine.pool.pool import ProcessPool
from treadle.kernel.engine.service import Engine
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store, Transaction
from treadle.kernel.store.sql import parse
from treadle.kernel.store.sqlite import open_sqlite
from treadle.migrations import schema
from treadle.systems.train.registry.records import Registration
from treadle.systems.train.registry.service import Models, PromoteModel, RegisterModel

PROJECT = "default"
MODEL = "late"
REF = f"model/{MODEL}@champion"
BEAT_S = 0.005


def open_store(home: Path, url: str) -> Store:
    """The PostgreSQL of the URL, or without one the SQLite file in the home."""
    if url:
        from treadle.backends.postgres import open_postgres

        return open_postgres(url, schema())
    return open_sqlite(home / "treadle.db", schema())


class House:
    """See the module."""

    def __init__(self, home: Path, url: str = "") -> None:
        self.home = home
        self.store = open_store(home, url)
        self.artifacts = Artifacts(LocalBlobs(home / "artifacts"))
        self.engine = Engine(
            self.store,
            self.artifacts,
            project=PROJECT,
            actor="chaos",
            fingerprint=fingerprint,
            executors={"pool": self._pool},
            observe=partial(observe, ignored=(str(home),)),
            beat_s=BEAT_S,
        )
        self.events = EventLog(self.store, system_clock, new_id)
        self.refs = Refs(self.events, system_clock)
        self.evidence = EvidenceRows(self.events, system_clock, new_id)
        self.models = Models(self.store, self.refs, self.evidence, self.events, system_clock)
        self.caller = Caller(project=PROJECT, actor="chaos")
        self.notice_begin: Callable[[], None] = lambda: None

    def _pool(self) -> ProcessPool:
        return ProcessPool(self.artifacts, workers=2, bundles=str(self.home / "code"), preload=["tests.chaos.marathon"])

    def prepare(self) -> None:
        """A first champion, whose alias is protected: it moves on passed evidence of its gate alone."""
        first = Registration(model=MODEL, digest=self.artifacts.put(b"first").digest, signature={})
        self.models.register(self.caller, RegisterModel(registration=first))
        self.models.promote(self.caller, PromoteModel(model=MODEL, version=1, reason="first"))
        self.store.write(lambda tx: self.refs.protect(tx, PROJECT, REF, {"evidence": ["gate"]}, actor="chaos"))

    def register(self, n: int, model: Any) -> int:
        """The number of the version that the run of the surrounding pipeline registers."""
        root = model._owner.session.root
        registration = Registration(model=MODEL, digest=model.digest, signature={"n": n})

        def effect(tx: Transaction) -> int:
            return self.models.register_in(tx, self.caller, registration, run=model.run, root=root).number

        return int(self.engine.act("register", effect, inputs={"model": model}, params={"root": root}))

    def promote(self, version: int) -> dict[str, Any]:
        """Moves the protected alias to the version: evidence, move, event and journal row in one commit."""
        subject = f"model/{MODEL}/{version}"

        def effect(tx: Transaction) -> dict[str, Any]:
            found = self.evidence.add(
                tx, PROJECT, subject=subject, kind="gate", verdict="passed", body={"version": version}, actor="chaos"
            )
            holder = self.models.holder(tx, PROJECT, MODEL, "champion")
            self.models.promote_in(
                tx,
                self.caller,
                PromoteModel(
                    model=MODEL, version=version, reason=subject, evidence={"gate": found.id}, expected=holder
                ),
            )
            return {"subject": subject, "evidence": found.id}

        answer: dict[str, Any] = self.engine.act("promote", effect, params={"version": version}, durable=True)
        return answer

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """What a query answers."""
        statement = parse(f"-- name: asked\n{query}")["asked"]
        with self.store.read() as reader:
            return reader.all(statement, values)

    def close(self) -> None:
        self.engine.close()
        self.store.close()


_current: tuple[int, House] | None = None


def use(house: House) -> House:
    """Makes it the house of this process."""
    global _current
    _current = (os.getpid(), house)
    return house


def current() -> House:
    """The house of this process."""
    assert _current is not None
    assert _current[0] == os.getpid()
    return _current[1]
