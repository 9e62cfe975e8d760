"""What can be wrong with numbers that are asked for a statistic.

InvalidInput
└── UnfitSample             the numbers cannot answer this question
    ├── EmptySample         there are none
    ├── OneClass            the truth holds one class only
    └── ShapeMismatch       two arrays that belong together differ in length
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class UnfitSample(InvalidInput):
    code = "stats.unfit_sample"


class EmptySample(UnfitSample):
    code = "stats.empty_sample"


class OneClass(UnfitSample):
    code = "stats.one_class"


class ShapeMismatch(UnfitSample):
    code = "stats.shape_mismatch"
