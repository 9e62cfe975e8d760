"""What a role may do."""

from __future__ import annotations

import pytest

from treadle.kernel.governance import Caller
from treadle.kernel.governance.identity.roles import permissions_of


def caller(role: str) -> Caller:
    return Caller(actor="ada", project="default", permissions=permissions_of(role))


def may(role: str, permission: str) -> bool:
    return caller(role).may(permission)


@pytest.mark.parametrize("permission", ["monitor.write", "alert.write", "alert.route", "alert.silence"])
def test_whoever_serves_looks_after_monitors_and_alerts_without_being_an_admin(permission):
    assert may("write", permission)
    assert not may("read", permission)
    assert not may("track", permission)


@pytest.mark.parametrize("permission", ["code.run", "user.write", "token.write"])
def test_running_code_and_letting_others_in_are_the_admins(permission):
    assert may("admin", permission)
    assert not may("write", permission)
