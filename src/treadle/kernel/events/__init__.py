"""What happened, in order: an append-only log, hash-chained, that proves itself offline."""

from treadle.kernel.events.chain import Broken, Verification, genesis, link, verify_lines
from treadle.kernel.events.log import EventLog
from treadle.kernel.events.records import Event

__all__ = ["Broken", "Event", "EventLog", "Verification", "genesis", "link", "verify_lines"]
