"""`treadle runs search` and `treadle runs count`: tracked runs, by what was logged in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option
from treadle.systems.train.search.catalog import RUNS
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.printing import name_of
from treadle.systems.train.search.syntax import Field, fields_of
from treadle.systems.train.tracking.errors import ExperimentNotFound

Filter = Annotated[str, "such as \"metrics.loss < 0.1 AND params.model = 'tree'\""]
Experiments = Annotated[
    list[str] | None, Option("only runs of this one, by id or name; may be given several times", short="e")
]
_PAGE = 1000
_LOGGED = ("metric", "parameter", "tag")


def search(
    session: Session,
    filter: Filter = "",
    *,
    experiment: Experiments = None,
    order: Annotated[list[str] | None, Option('by what, such as "metrics.loss DESC"', short="o")] = None,
    column: Annotated[list[str] | None, Option("also show this, such as params.lr", short="c")] = None,
    limit: Annotated[int, "at most so many"] = 20,
    after: Annotated[str | None, "the page behind the one that said this"] = None,
) -> None:
    """Runs that tracking clients logged, with the values that the filter and the order speak of."""
    orders, columns = order or [], column or []
    shown = _columns(filter, orders, columns)
    page = session.client.searches.runs(
        experiments=_experiments(session, experiment),
        filter=filter,
        order_by=orders,
        limit=limit,
        token=after,
        columns=[] if session.out.as_json and not columns else [name_of(field) for field in shown] or ["run_id"],
        with_total=True,
    )

    def draw(paper: Paper) -> None:
        rows = [
            (one.run, one.status, one.name, _time(one.start_ms), *(_value(one, field) for field in shown))
            for one in page.items
        ]
        heads = ("run", "status", "name", "started", *(name_of(field) for field in shown))
        paper.table(heads, rows, empty="No run is found.")
        if page.next:
            paper.line(f"{len(rows)} of {page.total}. More with: --after {page.next}", style="dim")

    session.out.show(page, draw)


def count(
    session: Session,
    filter: Filter = "",
    *,
    experiment: Experiments = None,
    by: Annotated[str, "also by the values of this, such as params.model"] = "",
) -> None:
    """How many runs are found, and how many by value."""
    found = session.client.searches.count(experiments=_experiments(session, experiment), filter=filter, by=by)

    def draw(paper: Paper) -> None:
        if by:
            paper.table((by, "runs"), [("–" if one.value is None else one.value, one.count) for one in found.facets])
        paper.line(f"{found.total} runs.")

    session.out.show(found, draw)


def _experiments(session: Session, asked: list[str] | None) -> list[str]:
    """The ids of experiments given by id or name; of all that are active where none is given."""
    if asked:
        return [one if one.isdecimal() else _number(session, one) for one in asked]
    found: list[str] = []
    after: str | None = None
    while True:
        page = session.client.experiments.list(limit=_PAGE, after=after)
        found += [str(one.number) for one in page.items]
        after = page.next
        if after is None:
            return found


def _number(session: Session, name: str) -> str:
    found = session.client.searches.experiments(filter=f"name = {_quoted(name)}", limit=1)
    if not found.items:
        raise ExperimentNotFound(f"There is no experiment {name!r}.", fix="List them with: treadle experiments list")
    return str(found.items[0].number)


def _quoted(name: str) -> str:
    return f'"{name}"' if "'" in name else f"'{name}'"


def _columns(text: str, orders: list[str], columns: list[str]) -> list[Field]:
    """The metrics, parameters and tags that are spoken of, each once."""
    named = [
        *(RUNS.field_of(column) for column in columns),
        *fields_of(parse_filter(text, RUNS)),
        *(field for order in parse_orders(orders, RUNS) for field in fields_of(order.value)),
    ]
    return list(dict.fromkeys(field for field in named if field.kind in _LOGGED))


def _value(run: Any, field: Field) -> str:
    for one in getattr(run, {"metric": "metrics", "parameter": "params", "tag": "tags"}[field.kind]):
        if one.key == field.key:
            if field.kind == "metric":
                return "NaN" if one.value is None else f"{one.value:.6g}"
            return str(one.value)
    return "–"


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
