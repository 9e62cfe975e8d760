"""The tables of identity: accounts, what they may do where, and their tokens.

An account belongs to the whole home and not to one project: its rows stand under the project `*`, which none can be called.
"""

from __future__ import annotations

from sqlalchemy import Index, Table

from treadle.kernel.store.metadata import metadata, project, text, whole

account = Table(
    "account",
    metadata,
    project(),
    text("name", key=True),
    text("password"),
    text("created_by"),
    whole("created_at"),
    sqlite_with_rowid=False,
    comment="Who can sign in. `password` is salted and stretched; empty for one that signs in by tokens alone.",
)

account_role = Table(
    "account_role",
    metadata,
    project(),
    text("account", key=True),
    text("role"),
    Index("ix_account_role_account", "account"),
    sqlite_with_rowid=False,
    comment="What an account may do in a project; the project `*` stands for every one.",
)

access_token = Table(
    "access_token",
    metadata,
    project(),
    text("digest", key=True),
    text("id"),
    text("account"),
    text("label"),
    whole("created_at"),
    whole("expires_at", optional=True),
    Index("ix_access_token_account", "project", "account", "id"),
    Index("ix_access_token_id", "project", "id", unique=True),
    sqlite_with_rowid=False,
    comment="Tokens by the SHA-256 of their text, which is told once and kept nowhere.",
)
