"""What can go wrong online.

Unavailable
├── OnlineStoreUnavailable      the online store does not answer
│   └── OnlineStoreSlow         it did not answer within the time limit
Denied
├── OnlineStoreRefused          the online store lets nobody write here, or is full
Corrupt
├── RecordCorrupt               a record cannot be what was written
NotFound
└── NotMaterialized             no values of this view or service are online
InvalidInput
├── EntityRefused               an entity lacks a key, or has one of another kind
└── NotServable                 a value has a type, or a size, that cannot be kept online
Conflict
└── AlreadyMaterialized         the values are newer than what was asked for
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Corrupt, Denied, InvalidInput, NotFound, Unavailable


class OnlineStoreUnavailable(Unavailable):
    code = "features.online_unavailable"


class OnlineStoreSlow(OnlineStoreUnavailable):
    code = "features.online_slow"


class OnlineStoreRefused(Denied):
    code = "features.online_refused"


class RecordCorrupt(Corrupt):
    code = "features.online_record_corrupt"


class NotMaterialized(NotFound):
    code = "features.not_materialized"


class EntityRefused(InvalidInput):
    code = "features.entity_refused"


class NotServable(InvalidInput):
    code = "features.not_servable"


class AlreadyMaterialized(Conflict):
    code = "features.already_materialized"
