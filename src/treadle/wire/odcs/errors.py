"""The names of what can be wrong with a data contract's text.

InvalidInput
└── InvalidContract             the text is no ODCS v3 data contract; each problem names its line
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class InvalidContract(InvalidInput):
    """`context["problems"]` lists every problem with its `line`, `path` and `message`."""

    code = "contract.invalid"
