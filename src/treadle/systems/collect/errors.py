"""The names of what can go wrong while data comes in.

InvalidInput
├── DatasetNameRefused          a name that cannot be a dataset's
├── UnreadableSource            a file is not what it claims: truncated, wrong encoding, broken lines
├── SchemaMismatch              values do not fit the dataset's columns
├── ColumnNameRefused           a column's name is reserved, empty, or equal to another but for case
├── TypeNotStorable             a type that an open table cannot hold
└── OutsideInbox                a pattern that leaves the folder from which files are taken
NotFound
├── DatasetNotFound
├── SnapshotNotFound
└── RowNotFound
Conflict
├── LandingTakenOver            another process settled this landing while this one slept
└── ForeignTable                the table uses what Treadle cannot read exactly (deletion vectors, paths outside)
Unavailable
└── LandingBusy                 another landing of the dataset does not come to its end
Corrupt
└── DataFileCorrupt             a data file is missing or not the one that was landed
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable


class DatasetNameRefused(InvalidInput):
    code = "dataset.name_refused"


class UnreadableSource(InvalidInput):
    code = "source.unreadable"


class SchemaMismatch(InvalidInput):
    code = "dataset.schema_mismatch"


class ColumnNameRefused(InvalidInput):
    code = "dataset.column_name_refused"


class TypeNotStorable(InvalidInput):
    code = "dataset.type_not_storable"


class OutsideInbox(InvalidInput):
    code = "source.outside_inbox"


class DatasetNotFound(NotFound):
    code = "dataset.not_found"


class SnapshotNotFound(NotFound):
    code = "dataset.snapshot_not_found"


class RowNotFound(NotFound):
    code = "dataset.row_not_found"


class LandingTakenOver(Conflict):
    code = "landing.taken_over"


class ForeignTable(Conflict):
    code = "dataset.foreign_table"


class LandingBusy(Unavailable):
    code = "landing.busy"


class DataFileCorrupt(Corrupt):
    code = "dataset.file_corrupt"
