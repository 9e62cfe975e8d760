"""Publishing: what runs unattended runs from a snapshot.

A publication is the project's source as it is now, its environment and the places of its pipelines, under one id. The
schedules and triggers of its pipelines are live at that version from then on; those that a pipeline no longer declares
are taken back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import NotFound
from treadle.kernel.catalog.artifacts import ArtifactRows
from treadle.kernel.engine.admission import put_policies
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.code.bundling import bundle
from treadle.kernel.engine.cron import parse
from treadle.kernel.engine.environment import capture
from treadle.kernel.engine.journal import as_text, of_text, sql
from treadle.kernel.engine.pipelines import Pipeline, Trigger
from treadle.kernel.engine.service import Engine, target_of
from treadle.kernel.engine.values import to_json
from treadle.kernel.store import Reader, Row, Transaction


class PublicationNotFound(NotFound):
    code = "engine.publication_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A version of a project that runs unattended. `targets`: where each pipeline is, as `module:name`."""

    id: str
    bundle: str
    environment: str | None
    interpreter: str
    targets: dict[str, str]
    actor: str
    recorded_at: datetime


def publish(
    engine: Engine,
    pipelines: Iterable[Pipeline[..., Any]],
    project_root: Path,
    *,
    interpreter: str = sys.executable,
    files: Iterable[str | Path] = (),
    only_changed: bool = False,
) -> Publication:
    """Stores the project and makes the schedules and triggers of its pipelines live. One commit, durable.

    interpreter: the Python that runs it. files: data files of the project to carry along, besides those that the
    pipelines declare by a constant path. only_changed: what is live already is not published once more.
    """
    chosen = list(pipelines)
    files = [*files, *_declared_files(chosen, project_root)]
    targets = {pipeline.name: _target(pipeline, project_root) for pipeline in chosen}
    made = bundle(chosen[0].function if chosen else None, project_root, files=files)
    code = engine.artifacts.put(made.content, kind="code")
    environment = engine.artifacts.put(as_json(capture(project_root)), kind="environment")
    if only_changed:
        with engine.store.read() as reader:
            row = reader.find(sql.newest_publication, {"project": engine.project})
        live = None if row is None else _publication(row)
        if live is not None and (live.bundle, live.targets, live.interpreter) == (code.digest, targets, interpreter):
            return live
    now = engine.clock()
    values = {
        "project": engine.project,
        "id": engine.new_id("pub"),
        "bundle": code.digest,
        "environment": environment.digest,
        "interpreter": interpreter,
        "targets": as_text(targets),
        "actor": engine.actor,
        "at": to_micros(now),
    }
    position = engine.events.head(engine.project)[0]
    totals = {each: _total(engine, each) for pipeline in chosen for each in pipeline.triggers if each.counts}

    def work(tx: Transaction) -> None:
        ArtifactRows().record(tx, engine.project, [code, environment], at=now)
        tx.put(sql.insert_publication, values)
        _put_schedules(tx, engine, chosen, str(values["id"]), now)
        _put_triggers(tx, engine, chosen, str(values["id"]), position, totals)
        put_policies(tx, engine.project, chosen)
        body = {"bundle": code.digest, "pipelines": sorted(targets)}
        engine.events.append(
            tx,
            project=engine.project,
            kind="project.published",
            subject=str(values["id"]),
            actor=engine.actor,
            body=body,
        )

    engine.store.write(work, durable=True)
    with engine.store.read() as reader:
        return get_publication(reader, engine.project, str(values["id"]))


def get_publication(reader: Reader, project: str, publication: str | None = None) -> Publication:
    """A publication, the newest one when none is named. Raises PublicationNotFound."""
    if publication is None:
        row = reader.find(sql.newest_publication, {"project": project})
    else:
        row = reader.find(sql.find_publication, {"project": project, "id": publication})
    if row is None:
        raise PublicationNotFound(
            f"There is no publication {publication!r}." if publication else "Nothing has been published yet.",
            fix="Publish the project with: treadle publish",
        )
    return _publication(row)


def as_json(record: Any) -> Any:
    """A frozen record as JSON, without the names of its classes."""
    form = to_json(record)
    return _untagged(form)


def _untagged(form: Any) -> Any:
    if isinstance(form, dict):
        if len(form) == 1 and "$record" in form:
            return _untagged(form["$record"][1])
        if len(form) == 1 and "$tuple" in form:
            return [_untagged(item) for item in form["$tuple"]]
        return {key: _untagged(item) for key, item in form.items()}
    return [_untagged(item) for item in form] if isinstance(form, list) else form


def _declared_files(pipelines: list[Pipeline[..., Any]], project_root: Path) -> list[str]:
    """The files of the project that the pipelines' code declares with a constant path: a runner needs them."""
    root = project_root.resolve()
    found = {path for pipeline in pipelines for path in fingerprint(pipeline.function).files}
    return sorted(path for path in found if Path(path).resolve().is_relative_to(root))


def _target(pipeline: Pipeline[..., Any], project_root: Path) -> str:
    """`module:name` as it is in the bundle, where a script is a module of its own."""
    if pipeline.function.__module__ != "__main__":
        return target_of(pipeline)
    made = bundle(pipeline.function, project_root)
    return f"{made.entry}:{made.entry_name}"


def _put_schedules(
    tx: Transaction, engine: Engine, pipelines: list[Pipeline[..., Any]], publication: str, now: datetime
) -> None:
    kept = set()
    for pipeline in pipelines:
        for each in pipeline.schedules:
            kept.add((pipeline.name, each.cron, each.timezone))
            values = {
                "project": engine.project,
                "pipeline": pipeline.name,
                "cron": each.cron,
                "timezone": each.timezone,
                "publication": publication,
                "params": "{}",
                "at": to_micros(now),
                "next_at": to_micros(parse(each.cron, each.timezone).after(now)),
            }
            tx.put(sql.put_schedule, values)
    names = {pipeline.name for pipeline in pipelines}
    for row in tx.all(sql.schedules, {"project": engine.project}):
        if row[0] in names and row[:3] not in kept:
            values = {"project": engine.project, "pipeline": row[0], "cron": row[1], "timezone": row[2]}
            tx.put(sql.drop_schedule, values)


def _put_triggers(
    tx: Transaction,
    engine: Engine,
    pipelines: list[Pipeline[..., Any]],
    publication: str,
    position: int,
    totals: dict[Trigger, int],
) -> None:
    kept = set()
    for pipeline in pipelines:
        for each in pipeline.triggers:
            kept.add((pipeline.name, each.kind, each.subject))
            values = {
                "project": engine.project,
                "pipeline": pipeline.name,
                "kind": each.kind,
                "subject": each.subject,
                "publication": publication,
                "params": "{}",
                "position": position,
                "counts": each.counts,
                "at_least": each.at_least,
                "share": each.share,
                "total": totals.get(each, 0),
            }
            tx.put(sql.put_trigger, values)
    names = {pipeline.name for pipeline in pipelines}
    for row in tx.all(sql.triggers, {"project": engine.project}):
        if row[0] in names and row[:3] not in kept:
            values = {"project": engine.project, "pipeline": row[0], "kind": row[1], "subject": row[2]}
            tx.put(sql.drop_trigger, values)


def _total(engine: Engine, trigger: Trigger) -> int:
    """What a counting trigger's events summed up to before it was published."""
    events = engine.events.about(engine.project, trigger.subject)
    return sum(int(event.body.get(trigger.counts or "") or 0) for event in events if event.kind == trigger.kind)


def _publication(row: Row) -> Publication:
    id, code, environment, interpreter, targets, actor, recorded_at = row
    return Publication(
        id=id,
        bundle=code,
        environment=environment,
        interpreter=interpreter,
        targets=of_text(targets),
        actor=actor,
        recorded_at=from_micros(recorded_at),
    )
