"""What a rollout refuses: a canary that cannot begin, a second one, one that there is not.

TreadleError
├── InvalidInput
│   └── BadCanary          a canary that cannot be begun as it was asked for
├── Conflict
│   └── CanaryUnderWay     an endpoint has one canary at a time
└── NotFound
    └── CanaryNotFound     no canary of that endpoint, or of that id
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class BadCanary(InvalidInput):
    code = "canary.bad"


class CanaryUnderWay(Conflict):
    code = "canary.under_way"


class CanaryNotFound(NotFound):
    code = "canary.not_found"
