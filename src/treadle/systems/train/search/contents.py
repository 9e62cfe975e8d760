"""What is wanted of the runs of a page: everything, or a choice of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from treadle.kernel.store import Reader, Statements
from treadle.systems.train.search.catalog import RUNS
from treadle.systems.train.search.errors import SearchInvalid, check_text
from treadle.systems.train.search.vocabulary import unquoted
from treadle.systems.train.tracking.records import Pair, Point, TrackedRun
from treadle.systems.train.tracking.repository import TrackedRunRows

sql = Statements(__package__)

_MOST_COLUMNS = 1000
_PLAIN = {"inputs", "outputs"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Of each kind the names that are wanted; None for all of them."""

    metrics: frozenset[str] | None
    params: frozenset[str] | None
    tags: frozenset[str] | None
    has_links: bool


def columns_of(names: Sequence[str]) -> Columns | None:
    """The choice that names make, None for everything. Raises SearchInvalid for a name that is no column."""
    if not names:
        return None
    if len(names) > _MOST_COLUMNS:
        raise SearchInvalid(f"At most {_MOST_COLUMNS} columns can be chosen.")
    wanted: dict[str, set[str] | None] = {"metric": set(), "parameter": set(), "tag": set()}
    for name in names:
        check_text(name)
        qualifier, dot, key = name.partition(".")
        kind = RUNS.spellings.get(qualifier)
        if kind in wanted:
            chosen = wanted[kind]
            if not dot:
                wanted[kind] = None
            elif chosen is not None:
                chosen.add(unquoted(key))
        elif name not in _PLAIN and name not in RUNS.attributes and kind != "attribute":
            raise SearchInvalid(
                f"{name!r} is no column.",
                fix="Columns are metrics.NAME, params.NAME, tags.NAME, metrics, params, tags, inputs, outputs.",
            )
    sets = {kind: None if chosen is None else frozenset(chosen) for kind, chosen in wanted.items()}
    return Columns(sets["metric"], sets["parameter"], sets["tag"], not _PLAIN.isdisjoint(names))


def contents(reader: Reader, project: str, numbers: Sequence[int], columns: Columns | None) -> list[TrackedRun]:
    """The runs of these numbers, in their order."""
    if not numbers:
        return []
    rows = TrackedRunRows()
    if columns is None:
        return rows.load(reader, project, numbers)
    if columns.has_links:
        return [_chosen(run, columns) for run in rows.load(reader, project, numbers)]
    runs = rows.load_info(reader, project, numbers)
    values = {"project": project, "numbers": json.dumps(list(numbers))}
    metrics: dict[int, list[Point]] = defaultdict(list)
    if columns.metrics is None or columns.metrics:
        named = {**values, **_named(columns.metrics)}
        for number, key, value, is_nan, at_ms, step in reader.all(sql.metrics_of_page, named):
            metrics[number].append(Point(key, None if is_nan else value, at_ms, step))
    params: dict[int, list[Pair]] = defaultdict(list)
    tags: dict[int, list[Pair]] = defaultdict(list)
    for found, wanted, statement in (
        (params, columns.params, sql.params_of_page),
        (tags, columns.tags, sql.tags_of_page),
    ):
        if wanted is None or wanted:
            for number, key, text in reader.all(statement, {**values, **_named(wanted)}):
                found[number].append(Pair(key, text))
    return [replace(run, metrics=metrics[run.number], params=params[run.number], tags=tags[run.number]) for run in runs]


def _named(wanted: frozenset[str] | None) -> dict[str, object]:
    return {"has_all": int(wanted is None), "names": json.dumps(sorted(wanted or ()))}


def _chosen(run: TrackedRun, columns: Columns) -> TrackedRun:
    return replace(
        run,
        metrics=[one for one in run.metrics if columns.metrics is None or one.key in columns.metrics],
        params=[one for one in run.params if columns.params is None or one.key in columns.params],
        tags=[one for one in run.tags if columns.tags is None or one.key in columns.tags],
    )
