"""The names of what can go wrong while data is judged and mended.

TreadleError
└── NoSpaceToJudge              what is too large for memory found no room on the disk
InvalidInput
├── RuleRefused                 a rule cannot be carried out as it is written
│   └── CleaningRefused         a step of cleaning cannot be carried out as it is written, or on these columns
├── FileUnreadable              a file of rows is of no known kind, or broken
├── WatchRefused                what a contract says of anomalies cannot be read
├── MendRefused                 a mended value does not fit its column
└── WaiverRefused               a rule that cannot be waived for single rows
NotFound
├── ContractNotFound
├── CleaningNotFound            nothing says how such a snapshot was cleaned
├── IncidentNotFound
└── QuarantinedRowNotFound
Conflict
├── CleaningOvertaken           rows of the quarantine were decided while their dataset was cleaned anew
├── AlreadyDecided              the row was released or discarded before
├── IncidentOpen                there is an open incident of the same cause already
└── IncidentClosed              a resolved incident does not change any more
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound, TreadleError


class NoSpaceToJudge(TreadleError):
    code = "contract.no_space"
    status = 507


class RuleRefused(InvalidInput):
    code = "contract.rule_refused"


class CleaningRefused(RuleRefused):
    code = "cleaning.refused"


class WatchRefused(InvalidInput):
    code = "contract.anomalies_refused"


class MendRefused(InvalidInput):
    code = "quarantine.mend_refused"


class WaiverRefused(InvalidInput):
    code = "quarantine.waiver_refused"


class FileUnreadable(InvalidInput):
    code = "contract.file_unreadable"


class ContractNotFound(NotFound):
    code = "contract.not_found"


class CleaningNotFound(NotFound):
    code = "cleaning.not_found"


class IncidentNotFound(NotFound):
    code = "incident.not_found"


class QuarantinedRowNotFound(NotFound):
    code = "quarantine.row_not_found"


class CleaningOvertaken(Conflict):
    code, retryable = "cleaning.overtaken", True


class AlreadyDecided(Conflict):
    code = "quarantine.already_decided"


class IncidentOpen(Conflict):
    code = "incident.open_already"


class IncidentClosed(Conflict):
    code = "incident.closed"
