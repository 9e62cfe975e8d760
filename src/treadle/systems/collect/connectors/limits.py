"""Numbers as declarations may give them: what is outside is refused before anything connects."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
"""One or more."""
Seconds = Annotated[float, Meta(ge=0)]
"""None or more."""
