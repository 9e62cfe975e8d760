"""The names of what can go wrong while data comes in.

InvalidInput
├── DatasetNameRefused          a name that cannot be a dataset's
├── UnreadableSource            a file is not what it claims: truncated, wrong encoding, broken lines
├── SchemaMismatch              values do not fit the dataset's columns
├── ColumnNameRefused           a column's name is reserved, empty, or equal to another but for case
├── TypeNotStorable             a type that an open table cannot hold
├── FilesRefused                a folder that cannot be landed or written: links, pipes, paths that lead elsewhere
├── OutsideInbox                a pattern that leaves the folder from which files are taken
├── QueryRefused                a query that is no SELECT, or reads something else than datasets
└── QueryFailed                 the engine cannot carry the query out
    ├── QueryTooLong            it took more time than is allowed
    └── QueryTooLarge           it needs more memory than is allowed
NotFound
├── DatasetNotFound
│   └── BranchNotFound
├── SnapshotNotFound
│   └── SnapshotExpired         clean-up has removed files of it, and nothing held it
├── TagNotFound
├── ColumnNotFound
├── FileNotInSnapshot
└── RowNotFound
Conflict
├── LandingTakenOver            another process settled this landing while this one slept
├── DerivationOvertaken         the dataset moved on while rows were made that were to take its place
├── SourceMovedOn               another process has landed the step of a source that this one was about to land
├── LandingOvertaken            another landing came first, and this one was made for the snapshot before it
├── MergeConflict               main has moved on in a way that a branch's changes do not fit
├── DatasetProtected            the name that follows the dataset's landings is protected: nothing lands
├── BranchInUse                 a branch that is landing now, or that holds rows in quarantine
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


class FilesRefused(InvalidInput):
    code = "dataset.files_refused"


class OutsideInbox(InvalidInput):
    code = "source.outside_inbox"


class NoFileMatches(NotFound):
    code = "source.no_file_matches"


class DatasetNotFound(NotFound):
    code = "dataset.not_found"


class BranchNotFound(DatasetNotFound):
    code = "dataset.branch_not_found"


class SnapshotNotFound(NotFound):
    code = "dataset.snapshot_not_found"


class SnapshotExpired(SnapshotNotFound):
    code, status = "dataset.snapshot_expired", 410


class FileNotInSnapshot(NotFound):
    code = "dataset.file_not_in_snapshot"


class ColumnNotFound(NotFound):
    code = "dataset.column_not_found"


class TagNotFound(NotFound):
    code = "dataset.tag_not_found"


class RowNotFound(NotFound):
    code = "dataset.row_not_found"


class LandingTakenOver(Conflict):
    code = "landing.taken_over"


class DerivationOvertaken(Conflict):
    code, retryable = "dataset.derivation_overtaken", True


class SourceMovedOn(Conflict):
    code, retryable = "source.moved_on", True


class LandingOvertaken(Conflict):
    code, retryable = "landing.overtaken", True


class MergeConflict(Conflict):
    code = "dataset.merge_conflict"


class DatasetProtected(Conflict):
    code = "dataset.protected"


class BranchInUse(Conflict):
    code = "dataset.branch_in_use"


class ForeignTable(Conflict):
    code = "dataset.foreign_table"


class LandingBusy(Unavailable):
    code = "landing.busy"


class DataFileCorrupt(Corrupt):
    code = "dataset.file_corrupt"


class QueryRefused(InvalidInput):
    code = "query.refused"


class QueryFailed(InvalidInput):
    code = "query.failed"


class QueryTooLong(QueryFailed):
    code = "query.too_long"


class QueryTooLarge(QueryFailed):
    code = "query.too_large"
