"""The names of what can go wrong with designs.

InvalidInput
├── InvalidModelSpec            a specification contradicts itself or lacks a part
├── InvalidBaseline             a baseline cannot be fitted or read
└── SplitWithoutRows            a part of the time split holds no rows that may be used
NotFound
├── ModelSpecNotFound
└── LeaderboardNotFound
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput, NotFound


class InvalidModelSpec(InvalidInput):
    code = "design.invalid_spec"


class InvalidBaseline(InvalidInput):
    code = "design.invalid_baseline"


class SplitWithoutRows(InvalidInput):
    code = "design.split_without_rows"


class ModelSpecNotFound(NotFound):
    code = "design.spec_not_found"


class LeaderboardNotFound(NotFound):
    code = "design.leaderboard_not_found"
