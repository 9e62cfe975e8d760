"""What the release loop refuses.

TreadleError
└── InvalidInput
    ├── NotServable        a model that no engine of the model server can load
    ├── BadEvaluation      rows that lack what a gate asks of them
    └── BadSignature       a model's inputs that cannot be described
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class NotServable(InvalidInput):
    code = "release.not_servable"


class BadEvaluation(InvalidInput):
    code = "release.bad_evaluation"


class BadSignature(InvalidInput):
    code = "release.bad_signature"
