"""The verb that compares two snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.ground.errors import did_you_mean
from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS, Snapshot
from treadle.systems.collect.columns import VOID
from treadle.systems.collect.comparing import distributions, rows
from treadle.systems.collect.comparing.ports import Profiled, ReadAnew
from treadle.systems.collect.comparing.records import (
    ColumnDiff,
    CompareSnapshots,
    Comparison,
    Retyped,
    SchemaDiff,
    Side,
)
from treadle.systems.collect.comparing.rows import Placed
from treadle.systems.collect.data_files import panics_as_errors
from treadle.systems.collect.errors import ColumnNotFound
from treadle.systems.collect.lookup import Lookup

_MOST_EXAMPLES = 100


class Comparisons:
    """Compares snapshots of one dataset, of its branches, or of two datasets."""

    def __init__(self, lookup: Lookup, profiles: Profiled | None = None) -> None:
        """profiles: who has made and kept them; without it, both snapshots are read."""
        self._lookup, self._profiles = lookup, profiles or ReadAnew(lookup)

    @verb("datasets.diff", permission="dataset.read")
    def diff(self, caller: Caller, request: CompareSnapshots) -> Comparison:
        """What lies between two snapshots: columns, rows, rows by a key, and how far values have moved.

        Raises DatasetNotFound, SnapshotNotFound, ColumnNotFound for a key that is no column of both.
        """
        before = self._placed(caller.project, request.name, request.before)
        after = self._placed(caller.project, request.name, request.after)
        _check_key(request.key, before.snapshot, after.snapshot)
        examples = max(0, min(request.examples, _MOST_EXAMPLES))
        with panics_as_errors(f"A file of {request.name}"):
            return Comparison(
                before=_side(before.snapshot),
                after=_side(after.snapshot),
                is_same=before.snapshot.content_id == after.snapshot.content_id,
                schema=schema_diff(before.snapshot, after.snapshot),
                rows=rows.by_identity(before, after),
                by_key=rows.by_key(before, after, request.key, examples) if request.key else None,
                columns=self._columns(caller.project, before.snapshot, after.snapshot) if request.distributions else [],
            )

    def _columns(self, project: str, before: Snapshot, after: Snapshot) -> list[ColumnDiff]:
        old, new = (self._profiles.of_snapshot(project, one) for one in (before, after))
        return distributions.compared(before, after, old, new)

    def _placed(self, project: str, name: str, at: str | None) -> Placed:
        other = at is not None and "@" in at
        snapshot = self._lookup.snapshot(project, str(at) if other else name, None if other else at)
        return Placed(self._lookup.folder(project, snapshot), snapshot)


def schema_diff(before: Snapshot, after: Snapshot) -> SchemaDiff:
    """Columns that came, went, and have another type."""
    old, new = ({column.name: column for column in side.columns} for side in (before, after))
    return SchemaDiff(
        added=[column for name, column in new.items() if name not in old],
        removed=[column for name, column in old.items() if name not in new],
        retyped=[
            Retyped(name=name, before=old[name].type, after=column.type)
            for name, column in new.items()
            if name in old and old[name].type != column.type
        ],
    )


def _check_key(key: Sequence[str], before: Snapshot, after: Snapshot) -> None:
    old, new = ({c.name: c.type for c in side.columns if c.type != VOID} for side in (before, after))
    for name in key:
        for side, types in ((before, old), (after, new)):
            if name not in types:
                raise ColumnNotFound(
                    f"{side.dataset} version {side.version} has no column {name!r} to compare by.",
                    why=did_you_mean(name, [other for other in types if other not in ROW_COLUMNS]),
                    fix=f"See its columns: treadle datasets show {side.dataset} --at {side.version}",
                )
        if old[name] != new[name]:
            raise ColumnNotFound(
                f"The column {name!r} is no key of both snapshots.",
                why=f"It is {old[name]} in one, {new[name]} in the other.",
            )


def _side(snapshot: Snapshot) -> Side:
    return Side(
        dataset=snapshot.dataset,
        version=snapshot.version,
        snapshot=snapshot.id,
        rows=snapshot.rows,
        bytes=snapshot.bytes,
        recorded_at=snapshot.recorded_at,
    )
