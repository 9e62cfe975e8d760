"""The one list of tables. Each package adds its own in its `tables.py`; migrations and the schema tool read them all.

Only those two import this module: SQLAlchemy takes 0.3 s to import, and no run should pay for that.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, LargeBinary, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def text(name: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    """A column of text: a name, an id, a digest, or canonical JSON."""
    return Column(name, Text, primary_key=key, nullable=optional and not key)


def whole(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    """A column of whole numbers (64 bits); times are microseconds since 1970 UTC."""
    return Column(name, BigInteger, primary_key=key, nullable=optional and not key, autoincrement=False)


def blob(name: str, *, optional: bool = True) -> Column[bytes]:
    """A column of bytes."""
    return Column(name, LargeBinary, nullable=optional)


def project() -> Column[str]:
    """The first column of every table: which project a row belongs to."""
    return text("project", key=True)


def real(name: str, *, optional: bool = False) -> Column[float]:
    """A column of 64-bit floating point numbers."""
    return Column(name, Double, nullable=optional)
