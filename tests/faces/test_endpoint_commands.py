"""What a person types about endpoints is read as she meant it, or she is told."""

from __future__ import annotations

import pytest

from treadle.faces.cli.commands.endpoints import limits_of
from treadle.faces.cli.signatures import UsageWrong
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.routing import limits_from


def test_limits_are_read_by_name_and_whole_numbers_stay_whole() -> None:
    given = limits_of(["timeout_ms=500", "max_rows=20", "requests_per_s=2.5"])

    assert given == {"timeout_ms": 500, "max_rows": 20, "requests_per_s": 2.5}
    limits = limits_from(None, given)
    assert (limits.timeout_ms, limits.max_rows, limits.requests_per_s) == (500.0, 20, 2.5)


@pytest.mark.parametrize("pair", ["timeout_ms", "timeout_ms=soon", "=", ""])
def test_what_is_no_limit_is_refused(pair: str) -> None:
    with pytest.raises(UsageWrong, match="is no limit"):
        limits_of([pair])


def test_a_limit_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(BadDeployment, match="no limit 'timeout'"):
        limits_from(None, limits_of(["timeout=5"]))
