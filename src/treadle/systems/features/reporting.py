"""What a training set says of itself, as text: coverage by view, how old the values were, and why others are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from treadle.systems.features.records import StoredTrainingSet, ViewReport

COLUMNS = ("view", "found", "median age", "oldest", "missed", "why")


def as_text(record: StoredTrainingSet) -> str:
    """Some lines for a terminal or a notebook."""
    lines = [
        f"Training set {record.name!r}: {record.n_rows:,} rows, {len(record.features)} features, {record.digest[:19]}…",
        *_aligned([COLUMNS, *coverage(record)]),
    ]
    lines += [f"Snapshot of {dataset}: {snapshot}" for dataset, snapshot in record.snapshots.items()]
    lines += [f"Warning: {warning}. Was it known at the time, or filled in later?" for warning in record.warnings]
    return "\n".join(lines)


def coverage(record: StoredTrainingSet) -> list[tuple[str, ...]]:
    """One line a view; see `COLUMNS`."""
    ages = {age.view: age for age in record.ages}
    return [
        (
            report.view,
            f"{report.n_found:,} ({report.coverage:.1%})",
            duration(ages[report.view].median_s),
            duration(ages[report.view].oldest_s),
            f"{report.n_missed:,}",
            ", ".join(reasons(report)),
        )
        for report in record.reports
    ]


def reasons(report: ViewReport) -> list[str]:
    """Why entities found no row, and what rows could not be used, where it happened at all."""
    counted = {
        "had no row": report.n_no_row,
        "not yet known": report.n_not_yet_known,
        "expired": report.n_expired,
        "only undated rows": report.n_only_undated,
    }
    found = [f"{count:,} {reason}" for reason, count in counted.items() if count]
    return [*found, f"({report.n_undated:,} rows undated)"] if report.n_undated else found


def duration(seconds: float | None) -> str:
    """A length of time in the unit that suits it; a dash for none."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.3g} s"


def _aligned(rows: Sequence[Iterable[str]]) -> list[str]:
    cells = [list(row) for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
