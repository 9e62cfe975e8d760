"""The names of what can go wrong while data is judged and mended.

InvalidInput
├── RuleRefused                 a rule cannot be carried out as it is written
├── MendRefused                 a mended value does not fit its column
└── WaiverRefused               a rule that cannot be waived for single rows
NotFound
├── ContractNotFound
├── IncidentNotFound
└── QuarantinedRowNotFound
Conflict
├── AlreadyDecided              the row was released or discarded before
└── IncidentClosed              a resolved incident does not change any more
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class RuleRefused(InvalidInput):
    code = "contract.rule_refused"


class MendRefused(InvalidInput):
    code = "quarantine.mend_refused"


class WaiverRefused(InvalidInput):
    code = "quarantine.waiver_refused"


class ContractNotFound(NotFound):
    code = "contract.not_found"


class IncidentNotFound(NotFound):
    code = "incident.not_found"


class QuarantinedRowNotFound(NotFound):
    code = "quarantine.row_not_found"


class AlreadyDecided(Conflict):
    code = "quarantine.already_decided"


class IncidentClosed(Conflict):
    code = "incident.closed"
