"""The caller: who asks, in which project, with which permissions."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.ground.errors import Denied

EVERYTHING: frozenset[str] = frozenset({"*"})
"""The permissions of whoever owns the home: on a laptop, the person at the keyboard."""


class PermissionDenied(Denied):
    code = "governance.permission_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks (`ada`, `token:ci`, `schedule:retrain`), in which project, and what they may do there.

    A permission is `noun.read`, `noun.write` or a name of its own such as `code.run`; `noun.*`, `*.read` and `*` stand
    for many.
    """

    project: str
    actor: str
    permissions: frozenset[str] = EVERYTHING

    def may(self, permission: str) -> bool:
        """Whether the permission is granted, by name or by a wider one."""
        noun, _, action = permission.partition(".")
        return not self.permissions.isdisjoint({permission, f"{noun}.*", f"*.{action}", "*"})

    def require(self, permission: str) -> None:
        """Raises PermissionDenied unless the permission is granted."""
        if not self.may(permission):
            raise PermissionDenied(
                f"{self.actor} may not do this in the project {self.project!r}.",
                why=f"It takes the permission {permission!r}.",
                fix="Ask whoever administers the project for it.",
                actor=self.actor,
                permission=permission,
            )
