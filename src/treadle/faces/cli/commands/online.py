"""`treadle features`, online: bring values up to date, read them, push live rows, take old versions away."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.commands.importing import progress
from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Entities = Annotated[list[str], "one each: KEY, or NAME=VALUE,NAME=VALUE; values are JSON where they can be, else text"]


def materialize(
    session: Session,
    name: Annotated[str | None, "a view, or a service for all its views (default: everything registered)"] = None,
    *,
    until: Annotated[str | None, "as of this time, as 2026-04-01T06:00:00+00:00 (default: now)"] = None,
    anew: Annotated[bool, "compute every entity again, not only what has changed"] = False,
) -> None:
    """Brings values online up to the newest snapshots.

    Only entities are computed whose rows have landed, or whose values time has changed. It may be stopped at any moment,
    and goes on where it was.
    """
    moment = None if until is None else moment_of("until", until)
    if session.settings.server:
        brought = session.client.features.materialize(name=name, until=moment, anew=anew)
    else:
        from treadle.systems.features.online.service import Materialize

        request = Materialize(name=name, until=moment, anew=anew)
        workspace = session.workspace
        brought = workspace.online_features.bring_up(workspace.caller, request, progress(session))

    def draw(paper: Paper) -> None:
        rows = [
            (one.view, one.version, one.until, one.entities, one.landed, one.expired, f"{one.seconds:.2f}")
            for one in brought
        ]
        columns = ("view", "snapshot", "as of", "entities", "landed", "expired", "seconds")
        paper.table(columns, rows, empty="No feature views are registered.")

    session.out.show(brought, draw)


def read(
    session: Session, service: Annotated[str, "the feature service"], entities: Entities,
    *, version: Annotated[str | None, "the digest of one version of the service (default: the newest)"] = None,
) -> None:  # fmt: skip
    """The vectors of entities as they are now, and of which moment they are exactly those."""
    asked = [_entity(session, service, text) for text in entities]
    found = session.client.features.online(service=service, entities=asked, version=version)

    def draw(paper: Paper) -> None:
        names = [view.view for view in found.views]
        for text, vector, status, as_of in zip(entities, found.vectors, found.status, found.as_of, strict=True):
            paper.title(text)
            values = [value if isinstance(value, str) else json.dumps(value, default=str) for value in vector]
            paper.sheet(dict(zip(found.features, values, strict=True)))
            for name, said, moment in zip(names, status, as_of, strict=True):
                paper.line(f"{name}: {said}" + ("" if moment is None else f", as of {moment.isoformat()}"), style="dim")

    session.out.show(found, draw)


def push(
    session: Session,
    dataset: Annotated[str, "where the rows land"],
    file: Annotated[Path, "JSON lines, one object a row; - for standard input"],
    *,
    key: Annotated[str | None, "names the push for good: sent again, it lands once"] = None,
) -> None:
    """Lands live rows and brings the views over them up to date before it answers."""
    import sys

    text = sys.stdin.read() if str(file) == "-" else _text_of(file)
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise UsageWrong(f"{file} holds no JSON lines.", why=str(error)) from None
    pushed = session.client.features.push(dataset=dataset, rows=rows, key=key)
    served = ", ".join(one.view for one in pushed.views) or "no view is online over it"
    session.out.show(
        pushed, lambda paper: paper.line(f"{pushed.rows} rows landed in {dataset} ({pushed.landing}); {served}.")
    )


def withdraw(
    session: Session,
    view: Annotated[str, "the view"],
    *,
    everything: Annotated[bool, "the version in use as well"] = False,
    yes: Annotated[bool, Option("do not ask", short="-y")] = False,
) -> None:
    """Takes the records of versions that no definition names any more out of the online store."""
    if everything:
        session.confirm(f"Take all values of {view} offline? Whoever reads them gets an error.", yes=yes)
    gone = session.client.features.withdraw(view=view, everything=everything)

    def draw(paper: Paper) -> None:
        rows = [(one.view, short_digest(one.digest), one.space) for one in gone]
        paper.table(("view", "version", "space"), rows, empty="Every version that is online is in use.")

    session.out.show(gone, draw)


def _entity(session: Session, service: str, text: str) -> dict[str, Any]:
    if "=" in text:
        parts = (part.partition("=") for part in text.split(","))
        return {name: _value(value) for name, _, value in parts}
    described = session.client.features.get(name=service)
    views = [session.client.features.get(name=name) for name, _ in described.description.get("views", [])]
    keys = sorted({key for view in views for key, _ in view.description["keys"]})
    if len(keys) != 1:
        raise UsageWrong(
            f"{service} takes several keys: {', '.join(keys) or 'none'}.", fix=f"Name them: {'=…,'.join(keys)}=…"
        )
    return {keys[0]: _value(text)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def moment_of(option: str, text: str) -> datetime:
    """The moment that an option names; without an offset it is this host's. Raises UsageWrong."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageWrong(f"--{option}: {text!r} is no time.", fix="Write it as 2026-04-01T06:00:00+00:00.") from None
    return moment if moment.tzinfo else moment.astimezone()


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageWrong(f"{file} cannot be read.", why=str(error)) from None
