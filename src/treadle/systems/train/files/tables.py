"""The tables of files.

A file's row names its bytes, so the same bytes are stored once over all runs, and a put replaces a file in one
transaction. Folders have rows of their own: a listing is a look-up by the folder, whatever lies deeper below.
"""

from __future__ import annotations

from sqlalchemy import Index, Table

from treadle.kernel.store.metadata import blob, metadata, project, text, whole

stored_folder = Table(
    "stored_folder",
    metadata,
    project(),
    text("folder", key=True),
    text("parent"),
    whole("sealed_at", optional=True),
    Index("ix_stored_folder_parent", "project", "parent"),
    sqlite_with_rowid=False,
    comment="A folder of files by its whole path. sealed_at: nothing in it changes any more, nor in those below.",
)

stored_file = Table(
    "stored_file",
    metadata,
    project(),
    text("folder", key=True),
    text("name", key=True),
    text("blob"),
    whole("size_bytes"),
    text("actor"),
    whole("recorded_at"),
    Index("ix_stored_file_blob", "blob"),
    sqlite_with_rowid=False,
    comment="What lies at a path. Its bytes are the blob of that digest, which stays as long as a row names it.",
)

small_file = Table(
    "small_file",
    metadata,
    text("digest", key=True),
    blob("data", optional=False),
    whole("put_at"),
    comment="The bytes of small files, as many files name them; like blobs they belong to no project. put_at: when last.",
)

stored_upload = Table(
    "stored_upload",
    metadata,
    project(),
    text("id", key=True),
    text("folder"),
    text("name"),
    text("secret"),
    whole("parts"),
    text("actor"),
    whole("recorded_at"),
    Index("ix_stored_upload_id", "id", unique=True),
    Index("ix_stored_upload_age", "recorded_at"),
    sqlite_with_rowid=False,
    comment="A file that comes in parts. Whoever holds an address signed with the secret may put one of them.",
)

stored_part = Table(
    "stored_part",
    metadata,
    project(),
    text("upload", key=True),
    whole("number", key=True),
    text("digest"),
    whole("size_bytes"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="A part that has arrived. Its bytes lie in the folder of uploads until the upload is completed.",
)
