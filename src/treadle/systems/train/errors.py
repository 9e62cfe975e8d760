"""What the registry refuses.

TreadleError
├── NotFound
│   └── ModelNotFound, ModelVersionNotFound, ModelCardNotFound
└── InvalidInput
    └── BadModelName
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput, NotFound


class ModelNotFound(NotFound):
    code = "model.not_found"


class ModelVersionNotFound(NotFound):
    code = "model.version_not_found"


class BadModelName(InvalidInput):
    code = "model.bad_name"


class ModelCardNotFound(NotFound):
    code = "model.card_not_found"
