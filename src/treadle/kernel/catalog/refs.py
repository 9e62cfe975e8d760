"""Refs: names that move, with the history of every move.

A move names the epoch that it saw, or takes the newest one; `update … where epoch =` lets one of two racing moves win.
A protected ref states what a move takes: `{"evidence": ["gate"], "approvals": 1}` asks for passed evidence of these kinds
bound to the exact target, and for so many approvals of it by others than the mover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog.errors import EpochMoved, RefNotFound, RefProtected
from treadle.kernel.catalog.records import Ref, RefMove
from treadle.kernel.events import EventLog
from treadle.kernel.store import Reader, Row, Statements, Transaction, UniqueViolation

sql = Statements(__package__)

_Refs = list[Ref]
_Moves = list[RefMove]


class Refs:
    """The refs of a store. Writes take the caller's transaction, so that a move commits with what it is about."""

    def __init__(self, events: EventLog, clock: Clock) -> None:
        self._events, self._clock = events, clock

    def find(self, reader: Reader, project: str, name: str) -> Ref | None:
        """The ref, or None when it was never made or is deleted."""
        row = reader.find(sql.find_ref, {"project": project, "name": name})
        return None if row is None else _ref(project, row)

    def get(self, reader: Reader, project: str, name: str) -> Ref:
        """The ref. Raises RefNotFound, with the nearest names."""
        found = self.find(reader, project, name)
        if found is None:
            prefix = name.partition("/")[0] + "/"
            known = [ref.name for ref in self.list(reader, project, prefix)]
            raise RefNotFound(f"There is no ref {name!r}.", fix=did_you_mean(name, known), ref=name)
        return found

    def list(self, reader: Reader, project: str, prefix: str = "") -> _Refs:
        """The refs whose names begin with the prefix, by name."""
        rows = reader.all(sql.list_refs, {"project": project, "low": prefix, "high": prefix + "\U0010ffff"})
        return [_ref(project, row) for row in rows]

    def history(self, reader: Reader, project: str, name: str) -> _Moves:
        """Every move of a ref, oldest first."""
        return [_move(row) for row in reader.all(sql.list_moves, {"project": project, "name": name})]

    def move(
        self,
        tx: Transaction,
        project: str,
        name: str,
        target: str,
        *,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        expected_epoch: int | None = None,
        is_due: bool = False,
    ) -> Ref:
        """Points the ref at a target, making it when it is new; leaves a move and the event `ref.moved`.

        expected_epoch: the epoch that the decision was based on (0 for a ref that should not exist yet). is_due: the ref
        only follows what stands already; its protection was asked before that began.
        Raises EpochMoved when another move came first, RefProtected when the target lacks what the ref asks for.
        """
        now = to_micros(self._clock())
        row = tx.find(sql.find_ref_epoch, {"project": project, "name": name})
        epoch, previous, protection = (0, None, None) if row is None else row
        if expected_epoch is not None and expected_epoch != epoch:
            raise _moved(name, expected_epoch, epoch)
        if protection is not None and not is_due:
            _check_protection(tx, project, name, target, msgspec.json.decode(protection), actor)
        values = {"project": project, "name": name, "target": target, "epoch": epoch, "updated_at": now}
        if row is None:
            try:
                tx.execute(sql.insert_ref, values)
            except UniqueViolation as error:
                raise _moved(name, 0, 1) from error
        elif tx.execute(sql.move_ref, values) != 1:
            raise _moved(name, epoch, epoch + 1)
        self._record(tx, project, name, epoch + 1, previous, target, actor, reason, evidence, now)
        kept = None if protection is None else msgspec.json.decode(protection)
        return Ref(
            project=project, name=name, target=target, epoch=epoch + 1, protection=kept, updated_at=from_micros(now)
        )

    def delete(self, tx: Transaction, project: str, name: str, *, actor: str, reason: str) -> None:
        """Takes the name away; its history stays. Raises RefNotFound."""
        now = to_micros(self._clock())
        row = tx.find(sql.find_ref_epoch, {"project": project, "name": name})
        if row is None or row[1] == "":
            raise RefNotFound(f"There is no ref {name!r}.", ref=name)
        epoch, previous, _ = row
        values = {"project": project, "name": name, "target": "", "epoch": epoch, "updated_at": now}
        if tx.execute(sql.move_ref, values) != 1:
            raise _moved(name, epoch, epoch + 1)
        self._record(tx, project, name, epoch + 1, previous, None, actor, reason, None, now)

    def protect(
        self, tx: Transaction, project: str, name: str, protection: Mapping[str, Any] | None, *, actor: str
    ) -> None:
        """States what a move of this ref takes from now on; None takes the protection away. Raises RefNotFound."""
        values = {
            "project": project,
            "name": name,
            "protection": None if protection is None else canonical_json(protection).decode(),
        }
        if tx.execute(sql.protect_ref, values) != 1:
            raise RefNotFound(f"There is no ref {name!r}.", ref=name)
        body = {"protection": None if protection is None else dict(protection)}
        self._events.append(tx, project=project, kind="ref.protected", subject=name, actor=actor, body=body)

    def _record(
        self,
        tx: Transaction,
        project: str,
        name: str,
        epoch: int,
        previous: str | None,
        target: str | None,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None,
        now: int,
    ) -> None:
        kind = "ref.moved" if target is not None else "ref.deleted"
        body: dict[str, Any] = {"from": previous or None, "to": target, "epoch": epoch, "reason": reason}
        if evidence:
            body["evidence"] = dict(evidence)
        event = self._events.append(tx, project=project, kind=kind, subject=name, actor=actor, body=body)
        values = {
            "project": project,
            "name": name,
            "epoch": epoch,
            "previous": previous or None,
            "target": target,
            "actor": actor,
            "reason": reason,
            "evidence": canonical_json(dict(evidence)).decode() if evidence else None,
            "event": event,
            "recorded_at": now,
        }
        tx.put(sql.insert_move, values)


def _check_protection(
    tx: Transaction, project: str, name: str, target: str, protection: Mapping[str, Any], actor: str
) -> None:
    values = {"project": project, "subject": target}
    found = [(kind, verdict, by) for kind, verdict, by in tx.all(sql.evidence_verdicts, values)]
    newest = {kind: verdict for kind, verdict, _ in found}
    for kind in protection.get("evidence", []):
        if newest.get(kind) != "passed":
            raise RefProtected(
                f"{name} is protected and does not move to {target}.",
                why=f"It takes passed evidence of the kind {kind!r}; the newest says {newest.get(kind, 'nothing')!r}.",
                fix="Let the missing check pass on this very target, then move the ref again.",
                ref=name,
                target=target,
            )
    approvers = {by for kind, verdict, by in found if kind == "approval" and verdict == "passed" and by != actor}
    wanted = int(protection.get("approvals", 0))
    if len(approvers) < wanted:
        raise RefProtected(
            f"{name} is protected and does not move to {target}.",
            why=f"It takes {wanted} approvals by others than {actor}; there are {len(approvers)}.",
            fix=f"Ask for them: treadle models approve {target}",
            ref=name,
            target=target,
        )


def _moved(name: str, expected: int, found: int) -> EpochMoved:
    return EpochMoved(
        f"{name} has moved since you looked.",
        why=f"The decision was based on its move {expected}; its newest is {found}.",
        fix="Look at it again, then decide anew.",
        ref=name,
    )


def _ref(project: str, row: Row) -> Ref:
    name, target, epoch, protection, updated_at = row
    return Ref(
        project=project,
        name=name,
        target=target,
        epoch=epoch,
        protection=None if protection is None else msgspec.json.decode(protection),
        updated_at=from_micros(updated_at),
    )


def _move(row: Row) -> RefMove:
    name, epoch, previous, target, actor, reason, evidence, event, recorded_at = row
    return RefMove(
        name=name,
        epoch=epoch,
        previous=previous,
        target=target,
        actor=actor,
        reason=reason,
        evidence=None if evidence is None else msgspec.json.decode(evidence),
        event=event,
        recorded_at=from_micros(recorded_at),
    )
