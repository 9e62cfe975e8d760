"""Windows as SQL: the outcomes that are alive at each entity's moment, joined and aggregated."""

from __future__ import annotations

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.columns import micros
from treadle.systems.features.in_sql.expressions import quoted
from treadle.systems.features.windows import Window

_N = "treadle_n"
_ENTITIES = "treadle_entities"
_ORDER = f"event_us, {quoted(LANDING)}, {quoted(ROW)}"
_BACKWARDS = f"event_us desc, {quoted(LANDING)} desc, {quoted(ROW)} desc"


def window_query(window: Window, rows: str, keys: str, moment: str, name: str, delay: int) -> str:
    """Of each entity, by its number, the window's value under a name.

    rows: the table of `_rows`, which is `r` in keys. moment: the entity's, in microseconds. delay: the view's known-at
    delay, 0 without one.
    """
    bare = name[1:-1]
    value = quoted(f"v_{bare}")
    at = _edge(moment, window) if window.tile is not None and window.edge == "closed" else moment
    within = f"r.event_us <= {at} and r.known_us <= {at} and (r.superseded_us is null or r.superseded_us > {at})"
    if window.span is not None:
        until = _edge(moment, window) if window.tile is not None else moment
        within += f" and r.event_us > {until} - {micros(window.span)}"
    if window.where is not None:
        within += f" and r.{quoted(f'w_{bare}')}"
    held = f"select e.{_N}, {moment} as moment_us, r.* from {_ENTITIES} e join {rows} r on {keys} and {within}"
    if window.last is not None:
        placed = f"select *, row_number() over (partition by {_N} order by {_BACKWARDS}) as place from ({held}) as treadle_held"
        held = f"select * from ({placed}) as treadle_placed where place <= {window.last}"
    if window.session is not None:
        late = delay if window.lateness is None else micros(window.lateness)
        held = _of_session(held, micros(window.session), late)
    found = f"select {_N}, {_aggregate(window, value)} as {name} from ({held}) as treadle_held group by {_N}"
    if window.aggregate not in ("count", "sum", "distinct"):
        return found
    zero = "0" if window.aggregate != "sum" else "cast(0 as double precision)"
    return (
        f"select e.{_N}, coalesce(a.{name}, {zero}) as {name} from {_ENTITIES} e left join ({found}) as a using ({_N})"
    )


def _edge(moment: str, window: Window) -> str:
    """The last edge of a tile at or before a moment; the remainder is made positive, for moments before 1970."""
    assert window.tile is not None
    tile = micros(window.tile)
    return f"({moment} - ((({moment} % {tile}) + {tile}) % {tile}))"


def _of_session(held: str, gap: int, lateness: int) -> str:
    """Those outcomes that belong to the newest session that is known to be over."""
    before = f"lag(event_us) over (partition by {_N} order by {_ORDER})"
    numbered = (
        f"select *, sum(case when event_us - before_us < {gap} then 0 else 1 end) over (partition by {_N} order by {_ORDER}"
        f" rows between unbounded preceding and current row) as session from ("
        f"select *, {before} as before_us from ({held}) as treadle_in_turn) as treadle_turns"
    )
    ended = (
        f"select *, max(event_us) over (partition by {_N}, session) as last_us from ({numbered}) as treadle_sessions"
    )
    over = f"select * from ({ended}) as treadle_ended where last_us + {gap + lateness} <= moment_us"
    newest = f"select *, max(session) over (partition by {_N}) as newest from ({over}) as treadle_over"
    return f"select * from ({newest}) as treadle_newest where session = newest"


def _aggregate(window: Window, value: str) -> str:
    number = f"cast({value} as double precision)"
    match window.aggregate:
        case "count":
            return "count(*)"
        case "sum":
            return f"sum({number})"
        case "mean":
            return f"avg({number})"
        case "rate":
            return f"avg(case when {value} then 1.0 when not {value} then 0.0 end)"
        case "min" | "max":
            return f"{window.aggregate}({value})"
        case "std":
            return f"stddev_samp({number})"
        case "distinct":
            return f"count(distinct {value})"
        case "quantile":
            return f"percentile_cont({window.q!r}) within group (order by {number})"
        case "values":
            return f"array_agg({value} order by {_BACKWARDS})"
        case "duration":
            return "(max(event_us) - min(event_us)) / cast(1000000 as double precision)"
