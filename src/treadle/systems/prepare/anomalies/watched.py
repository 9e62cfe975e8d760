"""Which datasets are watched: asked at every start, so this module imports no more than the statements."""

from __future__ import annotations

from treadle.kernel.store import Reader, Statements

sql = Statements(__package__)


def watched_datasets(reader: Reader, project: str) -> list[str]:
    """The datasets of which landings are remembered, by name."""
    return [str(name) for (name,) in reader.all(sql.watched_datasets, {"project": project})]
