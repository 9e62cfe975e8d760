"""Clean-up of the files of datasets: what no held snapshot lists is condemned, and goes a grace later.

Rows first, in one transaction with the look at what holds what; then the files. A file that is asked for again within the
grace (a tag, a restore) is reprieved by that very transaction; one whose row says that it is deleted is refused there. So a
snapshot is whole or says that it has expired, wherever a process is killed. The newest version of the table's log names files
of the newest snapshot alone, and those are always held: other engines read on while this runs.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from treadle.ground.clock import to_micros
from treadle.kernel.store import Reader, Transaction
from treadle.kernel.vocabulary.datasets import TableCleanUp
from treadle.systems.collect import plans
from treadle.systems.collect.data_files import BRANCHES, DATA
from treadle.systems.collect.landing import Landings
from treadle.systems.collect.records import MAIN
from treadle.systems.collect.repository import sql
from treadle.systems.collect.retaining.keeping import Known, Listed, Owner, kept, lost, needed_paths
from treadle.systems.collect.retaining.records import Sorted
from treadle.systems.collect.workings import Workings


class TableHoldings:
    """The files of a store's datasets; satisfies the port `Holdings` of infra."""

    def __init__(self, workings: Workings) -> None:
        self._own = workings

    def clean(
        self, project: str, needed: Collection[str], *, since: int, before: int, is_dry_run: bool
    ) -> Sequence[TableCleanUp]:
        """What becomes of each dataset's files. Times are microseconds.

        needed: digests and snapshot ids that runs and models use. since: what was the newest later stays; before: what was
        condemned earlier is deleted. Cost: every snapshot and every row of a file list, once; one listing of each folder.
        """
        if is_dry_run:
            with self._own.store.read() as reader:
                return self._answer(self._sorted(reader, project, needed, since, before))
        self._own.landings.recover(project)
        self._adopt_all(self._own.landings, project)
        now = to_micros(self._own.clock())
        found = self._own.store.write(
            lambda tx: self._apply(tx, project, self._sorted(tx, project, needed, since, before), now, before),
            durable=True,
        )
        self._unlink(project, found, before)
        return self._answer(found)

    def _adopt_all(self, landings: Landings, project: str) -> None:
        """What other engines have committed last is seen before it is judged."""
        with self._own.store.read() as reader:
            names = [name for name, _, _, base in reader.all(sql.every_owner, {"project": project}) if base is None]
        for name in names:
            if "@" not in name:
                landings.adopt(project, name)

    def _sorted(self, reader: Reader, project: str, needed: Collection[str], since: int, before: int) -> Sorted:
        values = {"project": project}
        owners = [
            Owner(name=name, folder=folder, head=head, base=base)
            for name, folder, head, base in reader.all(sql.every_owner, values)
        ]
        snapshots = [
            Known(
                id=id,
                dataset=dataset,
                version=v,
                delta_version=d,
                content_id=content,
                origin=origin or id,
                recorded_at=at,
            )
            for id, dataset, v, d, content, origin, at in reader.each(sql.every_snapshot, values)
        ]
        files = [
            Listed(dataset=d, path=p, added=a, removed=r, size=size, condemned_at=condemned, deleted_at=deleted)
            for d, p, a, r, size, condemned, deleted in reader.each(sql.every_file, values)
        ]
        reasons = kept(snapshots, owners, self._tags(reader, project), needed, since)
        paths = needed_paths(files, owners, snapshots, reasons) | self._planned(reader, project, owners)
        folder_of = {owner.name: owner.folder for owner in owners}
        condemned, reprieved, deleted = [], [], []
        for file in files:
            if file.deleted_at is not None or file.added == 0:
                continue
            if (folder_of[file.dataset], file.path) in paths:
                if file.condemned_at is not None:
                    reprieved.append(file)
            elif file.condemned_at is not None and file.condemned_at < before:
                deleted.append(file)
            else:
                condemned.append(file)
        return Sorted(
            owners=owners,
            snapshots=snapshots,
            files=files,
            reasons=reasons,
            condemned=condemned,
            reprieved=reprieved,
            deleted=deleted,
        )

    def _tags(self, reader: Reader, project: str) -> dict[str, str]:
        """What every name but main points at: tags, and heads of branches."""
        refs = self._own.refs.list(reader, project, "dataset/")
        return {ref.name.removeprefix("dataset/"): ref.target for ref in refs if not ref.name.endswith(f"@{MAIN}")}

    @staticmethod
    def _planned(reader: Reader, project: str, owners: Sequence[Owner]) -> set[tuple[str, str]]:
        """The files that landings on their way will list."""
        folder_of = {owner.name: owner.folder for owner in owners}
        found: set[tuple[str, str]] = set()
        for (text,) in reader.all(sql.plans, {"project": project}):
            for part in plans.decode(text).parts:
                found.update((folder_of.get(part.dataset, ""), file.path) for file in part.added)
        return found

    def _apply(self, tx: Transaction, project: str, found: Sorted, now: int, before: int) -> Sorted:
        """Writes what was found. A row that another transaction has reprieved meanwhile stays."""
        for file in found.condemned:
            if file.condemned_at is None:
                tx.execute(sql.condemn_file, self._row(project, file) | {"at": now})
        for file in found.reprieved:
            tx.execute(sql.reprieve_file, self._row(project, file))
        for file in found.deleted:
            tx.execute(sql.delete_file, self._row(project, file) | {"at": now, "before": before})
        counts, sizes = _counted(found.deleted)
        for name, count in counts.items():
            body = {"files": count, "bytes": sizes[name]}
            self._own.events.append(
                tx, project=project, kind="dataset.cleaned", subject=f"dataset/{name}", actor="storage", body=body
            )
        return found

    @staticmethod
    def _row(project: str, file: Listed) -> dict[str, object]:
        return {"project": project, "dataset": file.dataset, "path": file.path, "added": file.added}

    def _unlink(self, project: str, found: Sorted, before: int) -> None:
        """Removes the files whose rows all say so, and those that a landing which came to nothing has left."""
        with self._own.store.read() as reader:
            rows = reader.all(sql.every_file, {"project": project})
            active = {id for (id,) in reader.all(sql.active_landings, {"project": project})}
        folder_of = {owner.name: owner.folder for owner in found.owners}
        living: dict[str, dict[str, bool]] = defaultdict(dict)
        for dataset, path, _, _, _, _, deleted_at in rows:
            known = living[folder_of[dataset]]
            known[path] = known.get(path, False) or deleted_at is None
        for folder in sorted(set(folder_of.values())):
            for path, changed_at in _files_below(self._own.root / folder):
                is_waste = not living[folder].get(path, True)
                landing = Path(path).name.partition("-")[0]
                is_left = path not in living[folder] and landing.startswith("land_") and landing not in active
                if is_waste or (is_left and changed_at < before):
                    (self._own.root / folder / path).unlink(missing_ok=True)

    def _answer(self, found: Sorted) -> list[TableCleanUp]:
        gone = {(file.dataset, file.path) for file in (*found.condemned, *found.deleted)}
        expired = lost(found.files, found.snapshots, gone, found.reasons)
        reasons: dict[str, Counter[str]] = defaultdict(Counter)
        for one in found.snapshots:
            if one.id in found.reasons:
                reasons[one.dataset][found.reasons[one.id]] += 1
        snapshots = Counter(one.dataset for one in found.snapshots)
        condemned, condemned_bytes = _counted(found.condemned)
        deleted, deleted_bytes = _counted(found.deleted)
        return [
            TableCleanUp(
                dataset=name.partition("~")[0],
                snapshots=snapshots[name],
                kept=dict(reasons[name]),
                expired=expired.get(name, []),
                condemned=condemned[name],
                condemned_bytes=condemned_bytes[name],
                deleted=deleted[name],
                deleted_bytes=deleted_bytes[name],
            )
            for name in sorted(snapshots)
        ]


def _counted(files: Sequence[Listed]) -> tuple[Counter[str], Counter[str]]:
    """How many files, and how many bytes, by dataset."""
    counts, sizes = Counter[str](), Counter[str]()
    for file in files:
        counts[file.dataset] += 1
        sizes[file.dataset] += file.size
    return counts, sizes


def _files_below(folder: Path) -> Iterator[tuple[str, int]]:
    """The data files of a table's folder, and when each was last written, in microseconds."""
    for below in (DATA, BRANCHES):
        try:
            entries = list(os.scandir(folder / below))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_file() and entry.name.endswith(".parquet"):
                yield f"{below}/{entry.name}", entry.stat().st_mtime_ns // 1000
