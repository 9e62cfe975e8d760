"""Steps that workers can import, for tests that need one in a certain state."""

from __future__ import annotations

import threading
from pathlib import Path

from treadle.kernel.engine import step


@step
def lingering(marker: str) -> int:
    """Says that it runs, and does not end by itself."""
    Path(marker).touch()
    threading.Event().wait(60)
    return 1
