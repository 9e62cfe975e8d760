"""What the registry asks of the outside."""

from __future__ import annotations

from typing import Any, Protocol

from treadle.kernel.artifacts import Artifact


class Values(Protocol):
    """Loads the value of an artifact."""

    def load(self, artifact: Artifact, as_type: Any = None) -> Any: ...
