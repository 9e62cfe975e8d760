"""What can go wrong between us and a database.

TreadleError
├── StoreError              the database refused, and it is our fault (500)
├── UnfitValue              the database cannot hold a value, such as a text with a NUL (400)
├── StoreUnreachable        the server does not answer, or the file cannot be opened; try again (503)
├── StoreBusy               a write `at_once` would have to wait for another's; do it where waiting holds nobody up (503)
├── DiskFull                the disk or the quota is used up (507)
├── ReadOnlyStore           the home or the database cannot be written (403)
├── NetworkFileSystem       an embedded store on a file system that other hosts share (400)
├── StoreCorrupt            the database file is damaged (500)
├── SchemaTooNew            a newer Treadle wrote this store (409)
├── SchemaTooOld            this store needs a migration first (409)
└── UniqueViolation         a row with this key is already there (409)
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Corrupt, Denied, InvalidInput, TreadleError, Unavailable


class StoreError(TreadleError):
    code = "store.error"


class UnfitValue(InvalidInput):
    code = "store.unfit_value"


class StoreUnreachable(Unavailable):
    code = "store.unreachable"


class StoreBusy(Unavailable):
    code = "store.busy"


class DiskFull(TreadleError):
    code, status, retryable = "store.disk_full", 507, True


class ReadOnlyStore(Denied):
    code = "store.read_only"


class NetworkFileSystem(InvalidInput):
    code = "store.network_file_system"


class StoreCorrupt(Corrupt):
    code = "store.corrupt"


class SchemaTooNew(Conflict):
    code = "store.schema_too_new"


class SchemaTooOld(Conflict):
    code = "store.schema_too_old"


class UniqueViolation(Conflict):
    code = "store.unique_violation"
