"""The rows of canaries: found, added, and moved by one of those who look."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.loops.rollout.records import Canary, CanaryPolicy

sql = Statements(__package__)
_NAMES = tuple(Canary.__dataclass_fields__)


class CanaryRows:
    """Finds and records canaries."""

    def all(self, reader: Reader, project: str) -> list[Canary]:
        """Every canary, the newest first."""
        return [_canary(row) for row in reader.all(sql.all_canaries, {"project": project})]

    def of_endpoint(self, reader: Reader, project: str, endpoint: str) -> list[Canary]:
        """The canaries of an endpoint, the newest first."""
        return [_canary(row) for row in reader.all(sql.canaries_of, {"project": project, "endpoint": endpoint})]

    def under_way(self, reader: Reader, project: str) -> list[Canary]:
        """Those that have not ended, the oldest first."""
        return [_canary(row) for row in reader.all(sql.open_canaries, {"project": project})]

    def add(self, tx: Transaction, project: str, canary: Canary) -> None:
        """Records one that begins."""
        values = {**asdict(canary), "project": project}
        values["policy"] = canonical_json(asdict(canary.policy)).decode()
        values["baseline"] = canonical_json(canary.baseline).decode()
        tx.put(sql.insert_canary, {**values, **_times(canary)})

    def move(self, tx: Transaction, project: str, before: Canary, after: Canary) -> bool:
        """Whether it stood where `before` says and stands where `after` says now: of two lookers one moves it."""
        values: dict[str, Any] = {
            "project": project,
            "id": after.id,
            "state": after.state,
            "step": after.step,
            "reason": after.reason,
            "evidence": after.evidence,
            "seen_step": before.step,
            "seen_state": before.state,
            **_times(after),
        }
        del values["started_at"]
        return tx.execute(sql.update_canary, values) == 1


def _times(canary: Canary) -> dict[str, int | None]:
    return {
        "started_at": to_micros(canary.started_at),
        "step_at": to_micros(canary.step_at),
        "ended_at": None if canary.ended_at is None else to_micros(canary.ended_at),
    }


def _canary(row: Row) -> Canary:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["policy"] = msgspec.json.decode(values["policy"], type=CanaryPolicy)
    values["baseline"] = msgspec.json.decode(values["baseline"])
    for name in ("started_at", "step_at", "ended_at"):
        at = values[name]
        values[name] = None if at is None else from_micros(at)
    return Canary(**values)
