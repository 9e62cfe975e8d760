"""Where code runs: captured in one record, and compared with another."""

from treadle.kernel.engine.environment.capturing import capture
from treadle.kernel.engine.environment.comparing import compare
from treadle.kernel.engine.environment.git import PendingDiff, git_state, start_diff
from treadle.kernel.engine.environment.records import Comparison, Environment, GitState, ThreadPool

__all__ = [
    "Comparison",
    "Environment",
    "GitState",
    "PendingDiff",
    "ThreadPool",
    "capture",
    "compare",
    "git_state",
    "start_diff",
]
