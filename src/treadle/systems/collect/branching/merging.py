"""What a branch did since it began, and whether it fits on main as main is now. Records in, records out.

Files never change, so a branch's work is two sets: files that it added, files that it took away. Both fit on a main that has moved
on, unless main has lost a file that the branch took away: its rows may live on in another file (a compaction), and would come
back. Batches and cursors are asked the same question: what both sides have landed must not stand twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from treadle.ground.digests import of_json
from treadle.kernel.vocabulary.datasets import Column, DataFile, Snapshot
from treadle.systems.collect.columns import VOID, merged
from treadle.systems.collect.errors import MergeConflict
from treadle.systems.collect.plans import Part, content_after

Cursors = Mapping[str, tuple[str, str]]
"""By source: its cursor, and the landing that moved it there."""


def part_of(base: Snapshot, main: Snapshot, branch: Snapshot) -> Part:
    """What a merge does to main: nothing but the branch's own files added and taken away. All three with their files.

    base: the newest snapshot of main that is below the branch. Raises MergeConflict.
    """
    before, now, then = ({file.path: file for file in one.files} for one in (base, main, branch))
    removed = [file for path, file in before.items() if path not in then]
    lost = [file.path for file in removed if file.path not in now]
    if lost:
        raise MergeConflict(
            f"The branch took {len(removed)} files away, and main has replaced {len(lost)} of them since.",
            why=f"Their rows may live on in other files; the first is {lost[0]}.",
            fix="Make a branch of main as it is now, and do the work again there.",
        )
    return Part(
        dataset=main.dataset,
        columns=list(_columns(main, branch)),
        added=[_placed(file) for path, file in then.items() if path not in before and path not in now],
        removed=removed,
        content_id=_content(base, main, branch),
        origin=branch.origin if base.id == main.id else None,
        on=main.id,
    )


def cursors_after(base: Cursors, main: Cursors, branch: Cursors, unkeyed: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The cursors that main takes over. Raises MergeConflict where both sides read on in a source without batch names.

    unkeyed: the sources that landed batches without a name on the branch: nothing else would tell that a batch came twice.
    """
    taken = {}
    for source, reached in branch.items():
        if reached == base.get(source):
            continue
        if main.get(source) == base.get(source):
            taken[source] = reached
        elif source in unkeyed:
            raise MergeConflict(
                f"Both main and the branch have read on in the source {source!r} since the branch was made.",
                why="Rows that both have read would be there twice.",
                fix="Make a branch of main as it is now, and land there what is missing.",
                source=source,
            )
    return taken


def _columns(main: Snapshot, branch: Snapshot) -> tuple[Column, ...]:
    types = {column.name: column.type for column in main.columns}
    for column in branch.columns:
        known = types.get(column.name, VOID)
        if VOID not in (known, column.type) and known != column.type:
            raise MergeConflict(
                f"The column {column.name!r} is {column.type} on the branch and {known} on main.",
                fix="Make a branch of main as it is now, and land there with main's type.",
                column=column.name,
            )
    return merged(main.columns, branch.columns)


def _placed(file: DataFile) -> DataFile:
    """A file that landed on a branch gets its place on main anew; one that stands for files of main keeps theirs."""
    return file if file.place.startswith("00.") else replace(file, place="")


def _content(base: Snapshot, main: Snapshot, branch: Snapshot) -> str:
    """A fast-forward holds the branch's rows in the branch's order, so it is the same content."""
    if base.id == main.id:
        return branch.content_id
    return content_after(main, of_json({"merged": branch.content_id, "base": base.content_id}))
