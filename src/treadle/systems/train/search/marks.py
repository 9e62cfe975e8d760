"""Which runs meet conditions, as one byte for each run of the project.

SQLite makes a tree of a list in a statement (`in (select …)`), and looks into it once for each row: half a microsecond to
put a run in, and as much to find one or miss it. PostgreSQL joins each row to its run before it looks. A byte is found in a
tenth of that, so an index of 200,000 runs is walked to its far end in 30 ms in place of 100, or of 1,000. The numbers cross
in one piece of text: a row each would cost more than it saves, and would ask for the interpreter's lock each time.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from treadle.kernel.store import Reader
from treadle.kernel.store.sql import composed

MOST_MARKED = 1 << 22
"""Beyond so many runs the bytes are no longer small beside what they save."""


def marks(reader: Reader, rows: Iterable[tuple[str, Mapping[str, object]]], newest: int) -> bytes:
    """A byte for each run number up to the newest, 1 where the run is among all of these rows.

    rows: what stands behind `from`, as `f`, with what it binds.
    """
    is_sqlite = reader.dialect == "sqlite"
    gathered = "group_concat(f.run_number)" if is_sqlite else "string_agg(cast(f.run_number as text), ',')"
    found = np.ones(newest + 1, np.uint8)
    for text, parameters in rows:
        row = reader.find(composed("gather_runs", f"select {gathered} from {text}"), parameters)
        one = np.zeros(newest + 1, np.uint8)
        if row is not None and row[0]:
            one[np.fromstring(row[0], np.int64, sep=",")] = 1
        found &= one
    return found.tobytes()


def is_marked(name: str, number: str, dialect: str) -> str:
    """Whether the run of a number is marked, in SQL. name: the parameter that has the marks."""
    if dialect == "postgresql":
        return f"get_byte(cast({name} as bytea), cast({number} as integer)) = 1"
    return f"substr({name}, {number} + 1, 1) > x'00'"
