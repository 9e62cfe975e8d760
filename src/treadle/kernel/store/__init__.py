"""Rows and transactions: one store, two databases, one way to use them.

`Store` is what the rest of the house sees; `sqlite` and `backends/postgres` implement it. Statements are named SQL in
the folder of the repository that runs them (`sql.py`), tables are SQLAlchemy Core (`tables.py` of each package, on
`metadata.py`), and neither needs SQLAlchemy to be imported while a pipeline runs.
"""

from treadle.kernel.store.errors import (
    DiskFull,
    NetworkFileSystem,
    ReadOnlyStore,
    SchemaTooNew,
    SchemaTooOld,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreUnreachable,
    UnfitValue,
    UniqueViolation,
)
from treadle.kernel.store.ports import Parameters, Reader, Row, Store, Transaction, Work
from treadle.kernel.store.sql import Statement, Statements

__all__ = [
    "DiskFull",
    "NetworkFileSystem",
    "Parameters",
    "ReadOnlyStore",
    "Reader",
    "Row",
    "SchemaTooNew",
    "SchemaTooOld",
    "Statement",
    "Statements",
    "Store",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreUnreachable",
    "Transaction",
    "UnfitValue",
    "UniqueViolation",
    "Work",
]
