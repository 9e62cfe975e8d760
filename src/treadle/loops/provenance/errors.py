"""What provenance refuses.

TreadleError
├── NotFound
│   └── NothingOfThatName      no prediction, run, model, snapshot or artifact is called so
└── Conflict
    └── NotReproducible        what would be needed to do it again was not recorded, is gone, or no longer runs
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, NotFound


class NothingOfThatName(NotFound):
    code = "provenance.nothing_of_that_name"


class NotReproducible(Conflict):
    code = "provenance.not_reproducible"
