"""What provenance asks of others, in its own words; assembly joins them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from treadle.kernel.engine.rerunning import Wanted

if TYPE_CHECKING:
    import polars as pl


class RunsAgain(Protocol):
    """Makes recorded runs again, away from this process."""

    def run(self, root: str, wanted: Wanted, settings: Mapping[str, str]) -> str:
        """The id of the run that made `root` again, under these thread settings. Raises NotRecorded."""


class Truth(Protocol):
    """What came true of predictions."""

    def outcomes(self, project: str, endpoint: str, asked: pl.DataFrame) -> pl.DataFrame:
        """Columns `prediction`, `truth` and `known_at`. asked: `prediction` and `entity`."""
