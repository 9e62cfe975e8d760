"""The event log: in order, chained, and able to prove itself to somebody who trusts nothing of ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store
from treadle.kernel.store.sql import Statement, parse

TAMPER = parse(
    """
-- name: change
update event set body = '{"to":"evil"}' where position = :position
-- name: remove
delete from event where position = :position
-- name: swap
update event set actor = 'mallory' where position = :position
-- name: forge_head
update chain set position = position - 1
"""
)


@pytest.fixture
def log(any_store: Store) -> EventLog:
    return EventLog(any_store, system_clock, new_id)


def append(log: EventLog, n: int, *, project: str = "p") -> str:
    body = {"n": n, "to": "somewhere"}
    return log._store.write(
        lambda tx: log.append(tx, project=project, kind="ref.moved", subject="model/m", actor="ada", body=body)
    )


def tamper(log: EventLog, statement: Statement, position: int) -> None:
    assert log._store.write(lambda tx: tx.execute(statement, {"position": position})) == 1


def test_events_are_read_in_the_order_of_their_positions(log: EventLog) -> None:
    ids = [append(log, n) for n in range(5)]

    found = log.since("p", 0)

    assert [event.position for event in found] == [1, 2, 3, 4, 5]
    assert [event.id for event in found] == ids
    assert [event.body["n"] for event in log.since("p", 3)] == [3, 4]
    assert [event.position for event in log.newest("p", limit=2)] == [5, 4]


def test_an_event_stands_only_if_its_transaction_does(log: EventLog) -> None:
    def work(tx: object) -> None:
        log.append(tx, project="p", kind="k", subject="s", actor="a")  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        log._store.write(work)
    append(log, 1)

    assert [event.position for event in log.since("p", 0)] == [1]
    assert log.verify("p").broken is None


def test_each_project_has_a_chain_of_its_own(log: EventLog) -> None:
    append(log, 1, project="a")
    append(log, 1, project="b")
    append(log, 2, project="a")

    assert (log.head("a")[0], log.head("b")[0]) == (2, 1)
    assert log.verify("a").broken is None
    assert log.verify("b").broken is None


def test_writers_side_by_side_leave_one_unbroken_chain(log: EventLog) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: append(log, n), range(120)))

    checked = log.verify("p")

    assert checked.broken is None
    assert checked.count == 120
    assert sorted(event.body["n"] for event in log.since("p", 0)) == list(range(120))


@pytest.mark.parametrize("how", ["change", "swap", "remove"])
def test_the_first_entry_that_was_tampered_with_is_named(log: EventLog, how: str) -> None:
    for n in range(6):
        append(log, n)
    log.seal("p")
    tamper(log, TAMPER[how], 4)

    broken = log.verify("p").broken

    assert broken is not None
    assert broken.position == 4


def test_an_end_that_was_cut_off_is_noticed(log: EventLog) -> None:
    for n in range(3):
        append(log, n)
    log.seal("p")
    tamper(log, TAMPER["remove"], 3)

    broken = log.verify("p").broken

    assert broken is not None
    assert "cut off" in broken.problem


def test_event_time_is_kept_beside_recorded_time(log: EventLog) -> None:
    when = datetime(2013, 4, 1, 5, tzinfo=UTC)
    log._store.write(lambda tx: log.append(tx, project="p", kind="k", subject="s", actor="a", event_at=when))

    found = log.about("p", "s")[0]

    assert found.event_at == when
    assert found.recorded_at.year >= 2026


def test_the_export_is_verified_with_nothing_of_treadle(log: EventLog) -> None:
    for n in range(4):
        append(log, n)
    lines = list(log.export("p"))

    header, *events = [json.loads(line) for line in lines]
    previous = hashlib.sha256(b"treadle.chain.v1\n" + header["project"].encode()).hexdigest()
    for number, event in enumerate(events, start=1):
        assert event["position"] == number
        fields = [
            header["project"],
            number,
            *(event[k] for k in ("id", "kind", "subject", "actor", "recorded_at", "event_at")),
        ]
        line = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        body = hashlib.sha256(event["body"].encode()).hexdigest()
        previous = hashlib.sha256(f"{previous}\n{body}\n{line}".encode()).hexdigest()
        assert previous == event["hash"]

    assert (header["count"], header["head"]) == (4, previous)


def test_the_checker_in_the_docs_accepts_a_sound_export_and_names_a_broken_entry(log: EventLog, tmp_path: Path) -> None:
    for n in range(4):
        append(log, n)
    page = (Path(__file__).parents[3] / "docs/reference/audit.md").read_text(encoding="utf-8")
    checker = tmp_path / "check.py"
    checker.write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    sound, forged = tmp_path / "sound.jsonl", tmp_path / "forged.jsonl"
    lines = list(log.export("p"))
    sound.write_bytes(b"".join(lines))
    forged.write_bytes(b"".join(lines).replace(b'\\"n\\":2', b'\\"n\\":7'))

    accepts = subprocess.run([sys.executable, checker, sound], capture_output=True, text=True, check=False)
    refuses = subprocess.run([sys.executable, checker, forged], capture_output=True, text=True, check=False)

    assert (accepts.returncode, accepts.stdout.split()[0]) == (0, "sound:"), accepts.stderr
    assert (refuses.returncode, "position 3" in refuses.stdout) == (1, True), refuses.stderr
