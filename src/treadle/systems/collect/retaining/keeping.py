"""Which snapshots something holds, and which files those are. Records in, records out.

A snapshot is held by being the newest of main or of a branch, by a tag, by a branch that begins at it, by a run within retention or a
registered version that used it, and by having been the newest at any time within retention. A file is held by every held snapshot
that lists it. What no file's loss would hurt is left alone: a snapshot that nothing holds stays readable for as long as others
hold its files.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A snapshot as clean-up sees it. Times are microseconds; `origin` is the one that first held these very rows."""

    id: str
    dataset: str
    version: int
    delta_version: int
    content_id: str
    origin: str
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A dataset or branch: where its files are, its newest snapshot, and the one that it began at. is_over: a dropped branch."""

    name: str
    folder: str
    head: str | None
    base: str | None

    @property
    def is_over(self) -> bool:
        return "~" in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of a file list: the file is in the snapshots of its dataset from `added` on and before `removed`."""

    dataset: str
    path: str
    added: int
    removed: int | None
    size: int
    condemned_at: int | None
    deleted_at: int | None


@dataclass(slots=True)
class Kept:
    """The snapshots that something holds, with what holds them."""

    reasons: dict[str, str] = field(default_factory=dict)

    def hold(self, id: str | None, reason: str) -> None:
        if id is not None:
            self.reasons.setdefault(id, reason)


def kept(
    snapshots: Sequence[Known],
    owners: Sequence[Owner],
    tags: Mapping[str, str],
    needed: Collection[str],
    since: int,
) -> dict[str, str]:
    """By snapshot, what holds it. tags: by name, the snapshot; needed: digests and snapshot ids that runs and models use."""
    found = Kept()
    for owner in owners:
        if not owner.is_over:
            found.hold(owner.head, "newest")
            found.hold(owner.base, "a branch begins there")
    for name, id in tags.items():
        found.hold(id, f"tag {name}")
    for one, successor in _with_successors(snapshots):
        if successor is not None and successor.recorded_at >= since:
            found.hold(one.id, "newest within retention")
    _hold_used(found, snapshots, needed)
    _hold_bases(found, snapshots, owners)
    return found.reasons


def _with_successors(snapshots: Sequence[Known]) -> Iterable[tuple[Known, Known | None]]:
    by_dataset: dict[str, list[Known]] = defaultdict(list)
    for one in snapshots:
        by_dataset[one.dataset].append(one)
    for line in by_dataset.values():
        line.sort(key=lambda one: one.version)
        yield from zip(line, [*line[1:], None], strict=True)


def _hold_used(found: Kept, snapshots: Sequence[Known], needed: Collection[str]) -> None:
    """Of the snapshots that hold the very same rows, one is enough: one that is held already, else the newest."""
    same: dict[str, list[Known]] = defaultdict(list)
    for one in snapshots:
        same[one.origin].append(one)
    for group in same.values():
        is_used = any(one.id in needed or one.content_id in needed for one in group)
        if is_used and not any(one.id in found.reasons for one in group):
            found.hold(max(group, key=lambda one: one.recorded_at).id, "a run or a model uses it")


def _hold_bases(found: Kept, snapshots: Sequence[Known], owners: Sequence[Owner]) -> None:
    """What a branch's snapshot has from the one that the branch began at, it has from there."""
    base_of = {owner.name: owner.base for owner in owners}
    dataset_of = {one.id: one.dataset for one in snapshots}
    for id in list(found.reasons):
        base = base_of.get(dataset_of.get(id, ""))
        while base is not None:
            found.hold(base, "below a branch that is held")
            base = base_of.get(dataset_of.get(base, ""))


def needed_paths(
    files: Iterable[Listed], owners: Sequence[Owner], snapshots: Sequence[Known], held: Collection[str]
) -> set[tuple[str, str]]:
    """The files that held snapshots list, by folder and path."""
    folder_of = {owner.name: owner.folder for owner in owners}
    versions: dict[str, list[int]] = defaultdict(list)
    for one in snapshots:
        if one.id in held:
            versions[one.dataset].append(one.version)
    for line in versions.values():
        line.sort()
    return {
        (folder_of[file.dataset], file.path)
        for file in files
        if file.added > 0 and _is_within(versions[file.dataset], file.added, file.removed or _FOREVER)
    }


def lost(
    files: Iterable[Listed], snapshots: Sequence[Known], gone: Collection[tuple[str, str]], held: Collection[str]
) -> dict[str, list[int]]:
    """By dataset, the versions that cannot be read without these files (dataset and path), and have no twin that is held."""
    origins = {one.origin for one in snapshots if one.id in held}
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for file in files:
        if (file.dataset, file.path) in gone and file.added > 0:
            spans[file.dataset].append((file.added, file.removed or _FOREVER))
    joined = {name: _joined(line) for name, line in spans.items()}
    found: dict[str, list[int]] = defaultdict(list)
    for one in sorted(snapshots, key=lambda one: one.version):
        if one.origin not in origins and _is_inside(joined.get(one.dataset, []), one.version):
            found[one.dataset].append(one.version)
    return dict(found)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same versions in spans that do not meet, in order."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def _is_inside(spans: Sequence[tuple[int, int]], version: int) -> bool:
    place = bisect_left(spans, (version + 1, 0)) - 1
    return place >= 0 and version < spans[place][1]


def _is_within(versions: Sequence[int], low: int, high: int) -> bool:
    place = bisect_left(versions, low)
    return place < len(versions) and versions[place] < high
