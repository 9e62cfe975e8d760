"""`treadle features`: registered views and services, and the training sets made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.ground.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.systems.features.service import Definition


def list_all(session: Session) -> None:
    """Every registered feature view and feature service."""
    definitions = session.client.features.list()

    def draw(paper: Paper) -> None:
        rows = [(one.name, one.kind, short_digest(one.digest), one.updated_at) for one in definitions]
        paper.table(("name", "kind", "digest", "since"), rows, empty="No feature views yet.")

    session.out.show(definitions, draw)


def show(session: Session, name: Annotated[str, "the view or service"]) -> None:
    """One definition as it was registered: what it rests on, and how each feature is made."""
    found = session.client.features.get(name=name)
    session.out.show(found, lambda paper: draw_definition(paper, found))


def draw_definition(paper: Paper, found: Definition) -> None:
    """A definition in words; `--json` has it to the letter."""
    said = found.description
    if found.kind == "service" or "views" in said:
        views = [view for view, _ in [*said["views"], *said["on_demand"]]]
        paper.sheet({"service": found.name, "says": said["description"], "views": ", ".join(views)})
        paper.line()
        paper.table(("feature",), [(feature,) for feature in said["features"]])
        return
    from treadle.systems.features.views import names_of, view_from_description
    from treadle.systems.features.wording import made_of

    view = view_from_description(said)
    facts = {
        "view": view.name,
        "says": view.description,
        "owner": view.owner,
        **{name.replace("_", " "): _in_words(said.get(name)) for name in _FACTS},
        "digest": short_digest(found.digest),
        "since": found.updated_at,
    }
    paper.sheet({name: value for name, value in facts.items() if value not in ("", None)})
    paper.line()
    rows = [(feature, made_of(view, feature), view.units.get(feature, "")) for feature in names_of(view)]
    paper.table(("feature", "made", "unit"), rows)


_FACTS = ("dataset", "keys", "event_time", "target_time", "known_at", "event_key", "ttl_s", "inputs", "sql")


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(key if key == held else f"{key} {held}" for key, held in value.items())
    if isinstance(value, list):
        return ", ".join(_in_words(each) for each in value)
    return "" if value is None else f"{value}"


def sql(
    session: Session,
    name: Annotated[str, "the service or view"],
    *,
    dialect: Annotated[str, "duckdb (as-of joins), or standard (window functions alone)"] = "duckdb",
    entities: Annotated[str, "the table of the entities there"] = "entities",
    as_of: Annotated[str, "the entities' column of moments"] = "as_of",
    column: Annotated[list[str] | None, "a further column of the entities to keep (may be repeated)"] = None,
    table: Annotated[list[str] | None, "dataset=table, where it has another name there (may be repeated)"] = None,
) -> None:
    """The point-in-time join of a service or view as one SQL query, to be carried out where the data is."""
    tables = dict(_named(pair) for pair in table or ())
    found = session.client.features.sql(
        name=name, dialect=dialect, entities=entities, as_of=as_of, columns=column or [], tables=tables
    )
    session.out.show(found, lambda paper: paper.line(found.sql))


def _named(pair: str) -> tuple[str, str]:
    dataset, equals, place = pair.partition("=")
    if not equals or not place:
        raise InvalidInput(f"{pair!r} names no table.", fix="Write: --table flights=raw.flights")
    return dataset, place


def training_sets_list(session: Session) -> None:
    """The newest training set of every name."""
    found = session.client.features.training_sets()

    def draw(paper: Paper) -> None:
        rows = [
            (
                one.name,
                one.n_rows,
                len(one.features),
                short_digest(one.digest),
                one.recorded_at,
                len(one.warnings) or "",
            )
            for one in found
        ]
        paper.table(("name", "rows", "features", "digest", "made", "warnings"), rows, empty="No training sets yet.")

    session.out.show(found, draw)


def training_sets_show(
    session: Session, name: Annotated[str, "the training set, or name@digest for an older one"]
) -> None:
    """Coverage by view, the age of values, misses and why, and the snapshots it is pinned to."""
    from treadle.systems.features.reporting import as_text

    found = session.client.features.training_set(name=name)
    session.out.show(found, lambda paper: paper.line(as_text(found)))


def training_sets_rebuild(
    session: Session, name: Annotated[str, "the training set, or name@digest for an older one"]
) -> int:
    """Make a training set again from its entities, definitions and snapshots; exit code 1 when the digest differs."""
    found = session.client.features.rebuild(name=name)

    def draw(paper: Paper) -> None:
        if found.is_same:
            paper.line(f"{found.name}: the same {found.n_rows:,} rows, {short_digest(found.found)}", "green")
            return
        paper.line(f"{found.name}: came out as {short_digest(found.found)}, not {short_digest(found.expected)}", "red")
        paper.line(f"Columns that differ: {', '.join(found.differing) or 'unknown, the table is no longer kept'}")

    session.out.show(found, draw)
    return 0 if found.is_same else 1
