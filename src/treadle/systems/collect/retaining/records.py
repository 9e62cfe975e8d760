"""What a clean-up of datasets found and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treadle.systems.collect.retaining.keeping import Known, Listed, Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Every snapshot and file of a project's datasets, and what becomes of them."""

    owners: Sequence[Owner]
    snapshots: Sequence[Known]
    files: Sequence[Listed]
    reasons: Mapping[str, str]
    condemned: Sequence[Listed]
    reprieved: Sequence[Listed]
    deleted: Sequence[Listed]
