"""What can be wrong with a Label Studio document.

InvalidInput
└── NotLabelStudio              the bytes are no list of Label Studio tasks
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class NotLabelStudio(InvalidInput):
    code = "labelstudio.invalid"
