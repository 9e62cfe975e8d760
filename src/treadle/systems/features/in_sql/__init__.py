"""The point-in-time join as one SQL query: for those who want it carried out where their data is."""

from treadle.systems.features.in_sql.joins import Dialect, Tables, join_query

__all__ = ["Dialect", "Tables", "join_query"]
