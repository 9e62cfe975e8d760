"""The verb that says a registered service as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.kernel.governance import Caller, verb
from treadle.systems.features.in_sql.joins import Dialect, Tables, join_query
from treadle.systems.features.registered import Registered
from treadle.systems.features.views import entity_columns_of, flattened


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAsked:
    """A service or view, and where its join is to be carried out.

    entities: the table of the entities. columns: those of its columns that are wanted beside what the views need. tables:
    dataset -> table, where it has another name there.
    """

    name: str
    as_of: str = "as_of"
    dialect: Dialect = "duckdb"
    entities: str = "entities"
    columns: tuple[str, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlText:
    """One select, and what it gives: the columns of the entities, then the features."""

    sql: str
    entity_columns: tuple[str, ...]
    features: tuple[str, ...]


class FeatureQueries:
    """Registered services and views as SQL."""

    def __init__(self, registered: Registered) -> None:
        self._registered = registered

    @verb("features.sql", permission="feature.read")
    def sql(self, caller: Caller, request: SqlAsked) -> SqlText:
        """The point-in-time join of a service or view as one SQL query. Raises NotInSql, FeatureViewNotFound."""
        found = self._registered.find(caller.project, request.name)
        views, features = flattened([found])
        needed = [request.as_of, *entity_columns_of(views)]
        columns = list(dict.fromkeys([*request.columns, *needed]))
        text = join_query(
            views,
            columns,
            as_of=request.as_of,
            tables=Tables(entities=request.entities, datasets=request.tables),
            features=features,
            dialect=request.dialect,
        )
        return SqlText(sql=text, entity_columns=tuple(columns), features=tuple(features))
