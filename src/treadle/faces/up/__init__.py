"""What `treadle up` keeps running beside the API: a loop each for schedules, predictions, documents, events and code.

It stands among the faces since it is one: a person starts it, reads its log, and stops it. Nothing here holds state
that matters; it is in the store and in the serving area, so it may be killed at any moment and started again.
"""

from treadle.faces.up.household import Household
from treadle.faces.up.lock import AlreadyUp, HomeLock

__all__ = ["AlreadyUp", "HomeLock", "Household"]
