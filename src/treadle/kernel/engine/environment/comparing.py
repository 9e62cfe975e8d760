"""Compares a recorded environment with the present one, in words: what `verify` says before its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from treadle.kernel.engine.environment.records import Comparison, Environment, ThreadPool


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
    """Thread pools are known once their library is loaded: numpy and scipy each bring an OpenBLAS of their own. So a
    library is compared with itself, version by version, and one that only one record has seen says nothing."""
    old, new = _by_library(recorded), _by_library(now)
    for key in sorted(old.keys() & new.keys()):
        before, after = old[key], new[key]
        name = f"{key[0]} library {key[1]}"
        shared = sorted(before.keys() & after.keys())
        if not shared:
            yield f"the {name} is version {_listed(after)}, and was {_listed(before)}"
        for version in shared:
            was, is_now = before[version], after[version]
            if was.kernel != is_now.kernel:
                yield f"the {name} uses the CPU kernel {is_now.kernel or 'unknown'}, and used {was.kernel or 'unknown'}"
            if was.threads != is_now.threads:
                yield f"the {name} has {is_now.threads} threads, and had {was.threads}"


def _by_library(environment: Environment) -> dict[tuple[str, str], dict[str, ThreadPool]]:
    found: dict[tuple[str, str], dict[str, ThreadPool]] = {}
    for pool in environment.pools:
        found.setdefault((pool.role, pool.library), {})[pool.version] = pool
    return found


def _listed(versions: Iterable[str]) -> str:
    return ", ".join(version or "unknown" for version in sorted(versions))


def _lock(old: str | None, new: str | None) -> str:
    if old is None:
        return "there is a lock file now"
    return "the lock file is gone" if new is None else "the lock file differs"
