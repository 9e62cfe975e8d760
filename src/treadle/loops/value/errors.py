"""What can go wrong with the value of predictions.

TreadleError
├── InvalidInput
│   ├── UnfitValueRule      a rule that gives no value to a prediction
│   └── UnfitValueWindow    a window without length
└── NotFound
    └── NoValueRule         nobody has said what the endpoint's predictions are worth
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput, NotFound
from treadle.systems.prepare.errors import RuleRefused


class UnfitValueRule(RuleRefused):
    code = "value.unfit_rule"


class UnfitValueWindow(InvalidInput):
    code = "value.unfit_window"


class NoValueRule(NotFound):
    code = "value.no_rule"
