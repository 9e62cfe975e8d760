"""Compares a recorded environment with the present one, in words: what `verify` says before its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from treadle.kernel.engine.environment.records import Comparison, Environment


def compare(recorded: Environment, now: Environment) -> Comparison:
    """How `now` relates to what was recorded.

    `same`: nothing that can change a result differs. `rebuilt`: the same Python and distributions, on other hardware, C
    library, BLAS kernel or threads, where last bits may differ, or with another lock file. `other`: Python or a distribution
    differs. Where a run came from in git is no difference of environment.
    """
    grave = [*_python(recorded, now), *_distributions(recorded.distributions, now.distributions)]
    light = [*_machine(recorded, now), *_settings(recorded.settings, now.settings), *_pools(recorded, now)]
    notes = []
    if recorded.lock_digest != now.lock_digest:
        notes.append(_lock(recorded.lock_digest, now.lock_digest))
    differences = (*grave, *light, *notes)
    if grave:
        return Comparison(verdict="other", differences=differences)
    return Comparison(verdict="rebuilt" if differences else "same", differences=differences)


def _python(recorded: Environment, now: Environment) -> Iterator[str]:
    if recorded.implementation != now.implementation:
        yield f"Python is {now.implementation}, and was {recorded.implementation}"
    if recorded.python != now.python:
        yield f"Python went from {recorded.python} to {now.python}"


def _distributions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"{name} went from {old[name]} to {new[name]}"
    for name in sorted(old.keys() - new.keys()):
        yield f"{name} {old[name]} is not installed"
    for name in sorted(new.keys() - old.keys()):
        yield f"{name} {new[name]} was not installed"


def _machine(recorded: Environment, now: Environment) -> Iterator[str]:
    if recorded.machine != now.machine:
        yield f"the machine is {now.machine}, and was {recorded.machine}"
    if recorded.system != now.system:
        yield f"the system is {now.system}, and was {recorded.system}"
    if recorded.cpu != now.cpu:
        yield f"the CPU is {now.cpu}, and was {recorded.cpu}"
    if recorded.cpu_count != now.cpu_count:
        yield f"there are {now.cpu_count} CPU cores, and were {recorded.cpu_count}"


def _settings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name} is {new.get(name, 'not set')}, and was {old.get(name, 'not set')}"


def _pools(recorded: Environment, now: Environment) -> Iterator[str]:
    """Thread pools are compared only where both records have them: they are known once numpy is imported."""
    if not recorded.pools or not now.pools:
        return
    old = {(each.role, each.library): each for each in recorded.pools}
    new = {(each.role, each.library): each for each in now.pools}
    for key in sorted(old.keys() & new.keys()):
        before, after = old[key], new[key]
        name = f"{key[0]} library {key[1]}"
        if before.version != after.version:
            yield f"the {name} is version {after.version or 'unknown'}, and was {before.version or 'unknown'}"
        if before.kernel != after.kernel:
            yield f"the {name} uses the CPU kernel {after.kernel or 'unknown'}, and used {before.kernel or 'unknown'}"
        if before.threads != after.threads:
            yield f"the {name} has {after.threads} threads, and had {before.threads}"


def _lock(old: str | None, new: str | None) -> str:
    if old is None:
        return "there is a lock file now"
    return "the lock file is gone" if new is None else "the lock file differs"
