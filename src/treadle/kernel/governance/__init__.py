"""Who may do what: callers, permissions, and the one declaration from which every verb is checked and reached."""

from treadle.kernel.governance.callers import EVERYTHING, Caller, PermissionDenied
from treadle.kernel.governance.verbs import Bound, Verb, bind, declared, verb

__all__ = ["EVERYTHING", "Bound", "Caller", "PermissionDenied", "Verb", "bind", "declared", "verb"]
