"""What the registry refuses.

TreadleError
├── NotFound
│   └── ModelNotFound, ModelVersionNotFound, AliasNotFound
├── Conflict
│   └── ModelExists             another model has the name
└── InvalidInput
    ├── BadModelName
    ├── BadStage                a stage that there is not, or that nothing can be archived from
    └── BadSource               files that do not belong to whom the request names
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class ModelNotFound(NotFound):
    code = "model.not_found"


class ModelVersionNotFound(NotFound):
    code = "model.version_not_found"


class AliasNotFound(NotFound):
    code = "model.alias_not_found"


class ModelExists(Conflict):
    code = "model.exists"


class BadModelName(InvalidInput):
    code = "model.bad_name"


class BadStage(InvalidInput):
    code = "model.bad_stage"


class BadSource(InvalidInput):
    code = "model.bad_source"
