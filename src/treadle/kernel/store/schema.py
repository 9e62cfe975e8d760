"""The schema of a store as data: what a fresh store is made of, and how an older one is brought up to date.

A fresh store takes the ready-made text of the newest schema, since importing Alembic costs 0.3 s that nobody should pay
for three steps on a laptop. An older store is migrated by Alembic, which is imported only then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schema:
    """`version` is the newest revision; `statements` make a fresh store of it on the given dialect."""

    version: str
    known: tuple[str, ...]
    statements: Callable[[str], list[str]]
    upgrade: Callable[[str], None]
    """Migrates the store at a SQLAlchemy URL to `version`."""
