"""Roles: sets of permissions with a name, which is what people are given.

`track` is all that a training script needs; `read` looks and changes nothing; `admin` may do everything, here or there.
"""

from __future__ import annotations

from treadle.ground.errors import did_you_mean
from treadle.kernel.governance.callers import EVERYTHING
from treadle.kernel.governance.identity.errors import RoleUnknown

TRACKING: frozenset[str] = frozenset(
    f"{noun}.*"
    for noun in (
        "artifact",
        "evaluation",
        "experiment",
        "file",
        "logged_model",
        "model",
        "run",
        "scorer",
        "trace",
        "webhook",
    )
)
"""To log, to read what was logged, to register. Never to run code, to grant, or to touch another system's data."""

ROLES: dict[str, frozenset[str]] = {
    "admin": EVERYTHING,
    "write": TRACKING
    | {"*.read", "dataset.query", "dataset.write", "label.write", "feature.write", "endpoint.write", "endpoint.try"}
    | {"monitor.write", "alert.*"},
    "track": TRACKING,
    "read": frozenset({"*.read", "dataset.query"}),
}


def permissions_of(role: str) -> frozenset[str]:
    """The permissions of a role. Raises RoleUnknown."""
    found = ROLES.get(role)
    if found is None:
        raise RoleUnknown(f"There is no role {role!r}.", why=did_you_mean(role, ROLES))
    return found
