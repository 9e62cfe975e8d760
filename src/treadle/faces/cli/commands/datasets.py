"""`treadle datasets`: what has landed, as it was at any time."""

from __future__ import annotations

from typing import Annotated, Literal

from treadle.faces.cli.rendering import Paper, bytes_text, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option

Name = Annotated[str, "the dataset"]
At = Annotated[str | None, "a version, a tag, a snapshot's id or a time (default: the newest)"]
OfBranch = Annotated[str | None, "a branch (default: main)"]


def on_branch(name: str, branch: str | None) -> str:
    """The name under which a branch is a dataset."""
    return name if branch is None or branch == "main" else f"{name}@{branch}"


def list_all(session: Session) -> None:
    """Every dataset with its newest snapshot."""
    datasets = session.client.datasets.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.name, one.version, one.rows, bytes_text(one.bytes), one.columns, one.updated_at, one.description)
            for one in datasets
        ]
        columns = ("dataset", "version", "rows", "size", "columns", "updated", "description")
        paper.table(columns, rows, empty="No datasets yet: treadle datasets land NAME FILE")

    session.out.show(datasets, draw)


def show(session: Session, name: Name, *, at: At = None) -> None:
    """One snapshot: its rows, columns, files, and the landing that made it."""
    snapshot = session.client.datasets.get(name=name, at=at)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "dataset": snapshot.dataset,
                "version": snapshot.version,
                "snapshot": snapshot.id,
                "content": snapshot.content_id,
                "rows": snapshot.rows,
                "size": bytes_text(snapshot.bytes),
                "files": len(snapshot.files),
                "events from": snapshot.event_from_at,
                "events to": snapshot.event_to_at,
                "landing": snapshot.landing,
                "run": snapshot.run,
                "recorded": snapshot.recorded_at,
            }
        )
        paper.line()
        paper.table(("column", "type"), [(column.name, column.type) for column in snapshot.columns])

    session.out.show(snapshot, draw)


def history(session: Session, name: Name, *, branch: OfBranch = None) -> None:
    """Every snapshot, the newest first. Of a branch: those since it was made, as it counts them."""
    snapshots = session.client.datasets.history(name=on_branch(name, branch))

    def draw(paper: Paper) -> None:
        columns = ("version", "snapshot", "rows", "size", "content", "recorded")
        rows = [
            (one.version, one.id, one.rows, bytes_text(one.bytes), short_digest(one.content_id), one.recorded_at)
            for one in reversed(snapshots)
        ]
        paper.table(columns, rows)

    session.out.show(snapshots, draw)


def land(
    session: Session,
    name: Name,
    pattern: Annotated[str, "files of the inbox, as a pattern: flights-*.csv"],
    *,
    format: Annotated[str | None, "how to read them (default: by the suffix)"] = None,
    encoding: Annotated[str, "the text's encoding"] = "utf-8",
    null: Annotated[
        list[str] | None, Option("a text that means no value; repeat it (default: empty and NA)", metavar="TEXT")
    ] = None,
    malformed: Annotated[Literal["refuse", "quarantine"], "what to do with lines that are no rows"] = "refuse",
    mismatch: Annotated[Literal["refuse", "quarantine"], "what to do with rows of another schema"] = "refuse",
    new_columns: Annotated[Literal["add", "refuse"], "what to do with columns that the dataset has not"] = "add",
    limit: Annotated[int | None, "land at most so many files"] = None,
    branch: OfBranch = None,
) -> None:
    """Lands files that have not landed yet, one snapshot each.

    A file lands as a whole or not at all, and never twice.
    """
    fields = {} if null is None else {"null_values": null}
    landings = session.client.datasets.land(
        dataset=on_branch(name, branch), pattern=pattern, format=format, encoding=encoding, malformed=malformed, mismatch=mismatch, new_columns=new_columns, limit=limit, **fields
    )  # fmt: skip

    def draw(paper: Paper) -> None:
        columns = ("landing", "version", "rows in", "kept", "refused", "seconds")
        rows = [(one.id, one.version, one.rows_in, one.rows_kept, one.rows_refused, one.seconds) for one in landings]
        paper.table(columns, rows, empty="Nothing to land: every file that matches has landed.")

    session.out.show(landings, draw)


def rows(
    session: Session,
    name: Name,
    ids: Annotated[list[str], "rows by id, as `treadle why` prints them"],
    *,
    at: At = None,
) -> None:
    """Rows by their ids."""
    found = session.client.datasets.rows(name=name, rows=ids, at=at)

    def draw(paper: Paper) -> None:
        paper.table(found.columns, [[row.get(column) for column in found.columns] for row in found.rows])

    session.out.show(found, draw)


def tag(
    session: Session,
    name: Name,
    tag: Annotated[str, "the name that the snapshot gets"],
    *,
    at: At = None,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Gives a snapshot a name; one that is taken moves, and its history stays."""
    snapshot = session.client.datasets.tag(name=name, tag=tag, at=at, reason=reason)
    session.out.show(snapshot, lambda paper: paper.line(f"{name}@{tag} is version {snapshot.version} ({snapshot.id})."))


def untag(
    session: Session,
    name: Name,
    tag: Annotated[str, "the name to take away"],
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Takes a tag away; its history stays, and clean-up may take the snapshot's files from now on."""
    session.client.datasets.untag(name=name, tag=tag, reason=reason)
    session.out.show({"name": name, "untagged": tag}, lambda paper: paper.line(f"{name}@{tag} names nothing any more."))


def tags(session: Session, name: Name) -> None:
    """Every tag of a dataset."""
    found = session.client.datasets.tags(name=name)

    def draw(paper: Paper) -> None:
        columns = ("tag", "version", "rows", "snapshot", "by", "since", "why")
        rows = [(one.tag, one.version, one.rows, one.snapshot, one.actor, one.moved_at, one.reason) for one in found]
        paper.table(columns, rows, empty=f"No tags yet: treadle datasets tag {name} TAG")

    session.out.show(found, draw)


def restore(
    session: Session,
    name: Name,
    at: Annotated[str, "the version, tag, snapshot or time to go back to"],
    *,
    branch: OfBranch = None,
    reason: Annotated[str, "why, for those who come later"] = "",
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Makes the rows of an earlier snapshot the newest again, as a new snapshot.

    Nothing is deleted: the snapshots between stay where they are.
    """
    session.confirm(f"Make {name} as it was at {at} the newest?", yes=yes)
    name = on_branch(name, branch)
    snapshot = session.client.datasets.restore(name=name, at=at, reason=reason)
    session.out.show(
        snapshot, lambda paper: paper.line(f"{name} is at version {snapshot.version}, with {snapshot.rows} rows.")
    )


def compact(
    session: Session,
    name: Name,
    *,
    branch: OfBranch = None,
    target_mb: Annotated[int, "how large the new files may become, in megabytes"] = 128,
) -> None:
    """Lays many small files together into few large ones.

    Rows, their ids, their order and the content id stay. Earlier snapshots keep their files until clean-up takes them.
    """
    done = session.client.datasets.compact(name=on_branch(name, branch), target_bytes=target_mb << 20)

    def draw(paper: Paper) -> None:
        if done.version is None:
            paper.line(f"{on_branch(name, branch)} has no small files side by side: {done.files_before} files stay.")
            return
        before, after = (bytes_text(size) for size in (done.bytes_before, done.bytes_after))
        paper.line(
            f"{done.files_before} files of {before} are {done.files_after} of {after} now, as version {done.version}."
        )

    session.out.show(done, draw)
