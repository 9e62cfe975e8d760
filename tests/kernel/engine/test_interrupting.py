"""A body that is stopped while it ends leaves the interpreter as it was."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def test_an_interruption_that_came_too_late_is_taken_back_and_nothing_of_it_stays():
    """A flag that stayed set in CPython 3.11 let every call under a debugger or a coverage tool spin for ever."""
    program = """
    import sys
    from treadle.kernel.engine import session

    try:
        session._take_back()
        session._take_back()
    except BaseException as error:
        sys.exit(f"delivered {error!r}")

    def traced(frame, event, argument):
        return traced

    def called():
        return sum(range(10))

    sys.settrace(traced)
    found = [called() for _ in range(100)]
    sys.settrace(None)
    print(found[0])
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout.strip()) == (0, "45"), done.stderr
