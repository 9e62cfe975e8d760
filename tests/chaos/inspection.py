"""What must hold in a store after any number of sudden deaths, judged against the witness.

`problems_of` may be asked between two lives as well as at the end; `at_the_end` asks for more: that everything is done.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos import marathon
from tests.chaos.house import MODEL, PROJECT, REF, House
from tests.chaos.witness import lines
from treadle.kernel.catalog import ArtifactRows

FINISHED = ("done", "cached")


def problems_of(house: House, witness: Path, *, at_the_end: bool = False) -> list[str]:
    """Everything that is wrong, in words."""
    found = [
        *_chain(house),
        *_refs(house),
        *_registry(house),
        *_steps(house, witness),
        *_acknowledged(house, witness),
        *_leases(house),
    ]
    if at_the_end:
        found += [*_all_done(house, witness), *_bytes(house), *_said(house)]
    return found


def _chain(house: House) -> Iterator[str]:
    checked = house.events.verify(PROJECT)
    if checked.broken is not None:
        yield f"the chain is broken at {checked.broken.position}: {checked.broken.problem}"
    events = Counter(house.rows("select kind, subject from event where project = 'default'"))
    rows = house.rows("select id, kind, status from run where project = 'default'")
    for id, kind, status in rows:
        ended = {"pipeline": "run.finished"}.get(kind, f"{kind}.finished")
        told = events[(ended, id)]
        is_told = (
            told >= 1 if kind == "pipeline" else told == 1
        )  # a finished run may be looked at again, and ends again
        if is_told != (status == "done") and not (kind == "pipeline" and told):
            yield f"{kind} {id} is {status} and has {told} events {ended}"


def _refs(house: House) -> Iterator[str]:
    """Epoch, history, events and evidence of the protected alias tell one story."""
    refs = {name: (target, epoch) for name, target, epoch in house.rows("select name, target, epoch from ref")}
    moves = house.rows("select name, epoch, previous, target, evidence, event from ref_move order by name, epoch")
    events = {
        id: (subject, json.loads(body))
        for id, subject, body in house.rows("select id, subject, body from event where kind = 'ref.moved'")
    }
    evidence = dict(house.rows("select id, subject from evidence where verdict = 'passed'"))
    if len(events) != len(moves):
        yield f"{len(events)} events ref.moved for {len(moves)} moves"
    last: dict[str, tuple[str, int]] = {}
    for name, epoch, previous, target, proof, event in moves:
        before = last.get(name, (None, 0))
        if (previous, epoch - 1) != before:
            yield f"move {epoch} of {name} says that it left {previous}, after {before}"
        last[name] = (target, epoch)
        told = events.get(event)
        if told is None or told[0] != name or (told[1]["to"], told[1]["epoch"]) != (target, epoch):
            yield f"move {epoch} of {name} has no event that tells it"
        if name == REF and epoch > 1:
            gate = json.loads(proof or "{}").get("gate")
            if evidence.get(gate) != target:
                yield f"move {epoch} of {name} to {target} rests on evidence about {evidence.get(gate)}"
    if last != refs:
        yield f"the refs {refs} are not where their moves have led: {last}"


def _registry(house: House) -> Iterator[str]:
    """Each run registers and promotes at most once, and exactly when its act is done."""
    acts = Counter(house.rows("select root, name from run where kind = 'act' and status = 'done'"))
    versions = Counter(root for (root,) in house.rows("select root from model_version where root is not null"))
    numbers = dict(house.rows("select number, root from model_version where root is not null"))
    promoted = Counter(
        numbers[int(target.rpartition("/")[2])]
        for (target,) in house.rows("select target from ref_move where name = :name and epoch > 1", name=REF)
    )
    proven = Counter(
        numbers[int(subject.rpartition("/")[2])] for (subject,) in house.rows("select subject from evidence")
    )
    for root in {root for root, _ in acts} | set(versions) | set(promoted) | set(proven):
        told = (acts[(root, "register")], acts[(root, "promote")])
        if (versions[root], promoted[root]) != told or max(told) > 1:
            yield f"{root} has (registered, promoted) {told} times, and there are {(versions[root], promoted[root])}"
        if proven[root] != promoted[root]:
            yield f"{root} has left {proven[root]} findings for {promoted[root]} promotions"
    named = house.rows(
        "select count(*) from event where kind = 'model.registered' and subject like :of", of=f"model/{MODEL}/%"
    )
    if named[0][0] != sum(versions.values()) + 1:
        yield f"{named[0][0]} events model.registered for {sum(versions.values()) + 1} versions"


def _attempts(house: House) -> dict[str, list[tuple[int, str, str]]]:
    """By `root/path`, its attempts as (number, id, status), in order."""
    found = defaultdict(list)
    query = "select root, path, attempt, id, status from run where kind = 'step' order by attempt, id"
    for root, path, number, id, status in house.rows(query):
        found[f"{root}/{path}"].append((number, id, status))
    return found


def _steps(house: House, witness: Path) -> Iterator[str]:
    """No finished step ran twice: its attempt was the last one, and its body ran once."""
    bodies = defaultdict(list)
    for place, id in lines(witness, "body"):
        bodies[place].append(id)
    attempts = _attempts(house)
    for place, rows in attempts.items():
        finished = [(number, id) for number, id, status in rows if status in FINISHED]
        if len(finished) > 1:
            yield f"{place} is finished {len(finished)} times"
        if finished and finished[0][0] != max(number for number, _, _ in rows):
            yield f"{place} was tried again after it had finished: {rows}"
        if len({number for number, _, _ in rows}) != len(rows):
            yield f"{place} has two attempts of one number: {rows}"
        ran = Counter(bodies.get(place, []))
        for _, id, status in rows:
            if ran[id] > 1 or (status == "done" and ran[id] != 1) or (status == "cached" and ran[id]):
                yield f"the body of {place} ({id}, {status}) ran {ran[id]} times"
    for place, ids in bodies.items():
        known = {id for _, id, _ in attempts.get(place, [])}
        if set(ids) - known:
            yield f"bodies of {place} ran that no row tells of: {sorted(set(ids) - known)}"


def _acknowledged(house: House, witness: Path) -> Iterator[str]:
    """What the engine has told the pipeline's body, or the caller, stands."""
    query = """select r.root, r.path, e.digest from run r join edge e on e.project = r.project and e.run = r.id
        where e.direction = 'out' and e.role = 'result' and r.status in ('done', 'cached')"""
    stands = {(f"{root}/{path}", digest) for root, path, digest in house.rows(query)}
    for place, digest in lines(witness, "ack"):
        if (place, digest) not in stands:
            yield f"the result of {place} was acknowledged and is gone"
    done = {id for (id,) in house.rows("select id from run where status = 'done'")}
    for (root,) in lines(witness, "finished"):
        if root not in done:
            yield f"{root} was acknowledged as done and is not"
    acts = {(root, name): id for root, name, id in house.rows("select root, name, id from run where kind = 'act'")}
    for root, name, _ in lines(witness, "act"):
        if acts.get((root, name)) not in done:
            yield f"the act {name} of {root} was acknowledged and is gone"
    moved = {
        target: json.loads(proof)
        for target, proof in house.rows("select target, evidence from ref_move where epoch > 1")
    }
    for root, _, answer in (facts for facts in lines(witness, "act") if facts[1] == "promote"):
        if moved.get(answer["subject"]) != {"gate": answer["evidence"]}:
            yield f"{root} was told of a promotion that the history does not know: {answer}"
    kept = Counter(
        f"{root}/{path}" for root, path in house.rows("select root, path from checkpoint where name = 'default'")
    )
    for place, _ in lines(witness, "saved"):
        if not kept[place]:
            yield f"the checkpoint of {place} is gone"


def _leases(house: House) -> Iterator[str]:
    query = "select id from run where parent is null and status = 'running' and (lease_until is null or lease_owner is null)"
    for (id,) in house.rows(query):
        yield f"{id} is running, and nobody holds it"
    query = """select r.id, r.path, r.status, o.status from run r join run o on o.project = r.project and o.id = r.root
        where r.status = 'running' and o.status not in ('running', 'waiting')"""
    for id, path, status, root_status in house.rows(query):
        yield f"{id} ({path}) is {status} in a run that is {root_status}"


def _all_done(house: House, witness: Path) -> Iterator[str]:
    for id, path, status in house.rows(
        "select id, path, status from run where status in ('running', 'waiting', 'queued')"
    ):
        yield f"{id} ({path}) is still {status}"
    finished = {root for (root,) in lines(witness, "finished")}
    for root, status in house.rows("select id, status from run where parent is null and kind = 'pipeline'"):
        if status != "done" or root not in finished:
            yield f"the run {root} is {status}"
    now = house.engine.clock()
    held = house.rows("select count(*) from slot s join run r on r.id = s.root where r.status = 'running'")
    if held != [(0,)]:
        yield f"{held[0][0]} places of concurrency limits are held at {now}"
    query = (
        "select r.root, count(*) from run r where r.kind = 'step' and r.status in ('done', 'cached') group by r.root"
    )
    steps = 10 + marathon.ELEMENTS - 1
    for root, count in house.rows(query):
        if count != steps:
            yield f"{root} has {count} finished steps, not {steps}"


def _bytes(house: House) -> Iterator[str]:
    """Every artifact that a row names is whole."""
    rows = ArtifactRows()
    digests = house.rows("select digest from artifact")
    with house.store.read() as reader:
        artifacts = [rows.get(reader, PROJECT, digest) for (digest,) in digests]
    for artifact in artifacts:
        problem = house.artifacts.verify(artifact, deep=True)
        if problem is not None:
            yield f"{artifact.digest}: {problem}"


def _said(house: House) -> Iterator[str]:
    """Metrics and logs of the finished attempt: each line once, in order."""
    wanted = [1.0 / (point + 1) for point in range(marathon.POINTS)]
    for id, n in house.rows("select id, params from run where name = 'talking' and status = 'done'"):
        points = house.rows("select step, value from metric where run = :run order by ordinal", run=id)
        if points != list(enumerate(wanted)):
            yield f"the metrics of {id} are {points}"
        said = "".join(
            text for (text,) in house.rows("select content from log_chunk where run = :run order by ordinal", run=id)
        )
        rounds = [line.rpartition(" of ")[0] for line in said.splitlines()]
        if rounds != [f"round {point}" for point in range(marathon.POINTS)]:
            yield f"the log of {id} ({n}) is {said!r}"


def summary(house: House) -> dict[str, Any]:
    """What lies in the store, in figures."""
    statuses = dict(house.rows("select status, count(*) from run group by status"))
    return {"runs": statuses, "events": house.events.head(PROJECT)[0]}
