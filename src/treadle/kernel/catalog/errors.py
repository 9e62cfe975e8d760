"""What the catalog refuses.

TreadleError
├── NotFound
│   ├── ArtifactNotFound, RunNotFound, RefNotFound
└── Conflict
    ├── EpochMoved          the ref has moved since you looked
    └── RefProtected        the ref moves only when its checks pass
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, NotFound


class ArtifactNotFound(NotFound):
    code = "artifact.not_found"


class RunNotFound(NotFound):
    code = "run.not_found"


class RefNotFound(NotFound):
    code = "ref.not_found"


class EpochMoved(Conflict):
    code = "ref.epoch_moved"


class RefProtected(Conflict):
    code = "ref.protected"
