"""Evidence: what was found about a thing, and on which exact bytes. It is added to and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.ids import NewId
from treadle.kernel.catalog.records import Evidence
from treadle.kernel.events import EventLog
from treadle.kernel.store import Reader, Statements, Transaction

sql = Statements(__package__)


class EvidenceRows:
    """The evidence of a store."""

    def __init__(self, events: EventLog, clock: Clock, new_id: NewId) -> None:
        self._events, self._clock, self._new_id = events, clock, new_id

    def add(
        self,
        tx: Transaction,
        project: str,
        *,
        subject: str,
        kind: str,
        verdict: str,
        body: Mapping[str, Any],
        actor: str,
        digest: str | None = None,
        run: str | None = None,
    ) -> Evidence:
        """Records a finding; leaves the event `evidence.added`. Protected refs ask for the verdict `passed`."""
        found = Evidence(
            project=project,
            id=self._new_id("evid"),
            subject=subject,
            digest=digest,
            kind=kind,
            verdict=verdict,
            body=dict(body),
            run=run,
            actor=actor,
            recorded_at=self._clock(),
        )
        values = {
            "project": project,
            "id": found.id,
            "subject": subject,
            "digest": digest,
            "kind": kind,
            "verdict": verdict,
            "body": canonical_json(found.body).decode(),
            "run": run,
            "actor": actor,
            "recorded_at": to_micros(found.recorded_at),
        }
        tx.put(sql.insert_evidence, values)
        brief = {"evidence": found.id, "kind": kind, "verdict": verdict, "digest": digest, "run": run}
        self._events.append(tx, project=project, kind="evidence.added", subject=subject, actor=actor, body=brief)
        return found

    def about(self, reader: Reader, project: str, subject: str) -> list[Evidence]:
        """Everything that was found about a subject, oldest first."""
        rows = reader.all(sql.evidence_about, {"project": project, "subject": subject})
        return [
            Evidence(
                project=project,
                id=id,
                subject=subject,
                digest=digest,
                kind=kind,
                verdict=verdict,
                body=msgspec.json.decode(body),
                run=run,
                actor=actor,
                recorded_at=from_micros(recorded_at),
            )
            for id, digest, kind, verdict, body, run, actor, recorded_at in rows
        ]
