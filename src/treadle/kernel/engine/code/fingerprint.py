"""The fingerprint of a step's code, remembered for as long as nothing that it rests on has changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from treadle.ground import digests
from treadle.kernel.engine.code.errors import NotCode
from treadle.kernel.engine.code.following import Following
from treadle.kernel.engine.code.guards import Guards
from treadle.kernel.engine.code.records import CodeFingerprint

_MAX_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class _Memory:
    function: object
    depends_on: tuple[object, ...]
    guards: Guards
    named: dict[int, str]
    fingerprint: CodeFingerprint


_memories: OrderedDict[tuple[int, str | None, tuple[int, ...]], _Memory] = OrderedDict()
_lock = Lock()


def fingerprint(
    function: Callable[..., Any], *, version: str | None = None, depends_on: Iterable[object] = ()
) -> CodeFingerprint:
    """What a function reaches, as a digest that changes when the code could compute something else.

    It sees the body, helpers and classes of the project in any file, module constants, defaults, closures, decorators,
    other steps, and the versions of the distributions used. It does not see comments, docstrings, formatting, and
    annotations that nothing reads. What cannot be followed (a computed `getattr`, `eval`, an object without identity)
    takes in its whole module; `widened` says so. Treadle's own package counts by its version, also in a checkout.

    What is loaded counts, not what the files say now: after an edit the digest changes when the module is reloaded.
    version: text of the caller's that goes in as it is. depends_on: functions, classes, modules or values that the code
    reaches in ways that cannot be seen, and paths, which count by content.
    Raises NotCode for what cannot be called.
    Cost: 3 to 10 ms the first time (8 µs a line of the files it reaches), then some 10 µs while nothing has changed.
    Threads may call it at once.
    """
    if not callable(function):
        raise NotCode(
            f"{function!r} is not a function.",
            why="A fingerprint is that of a function, a class or another callable.",
            fix="Pass the function itself, not the result of calling it.",
        )
    depends_on = tuple(depends_on)
    key = (id(function), version, tuple(map(id, depends_on)))
    known = _memories.get(key)
    if known is not None and known.function is function and known.guards.hold(known.named):
        return known.fingerprint
    memory = _walked(function, version, depends_on)
    with _lock:
        _memories[key] = memory
        _memories.move_to_end(key)
        while len(_memories) > _MAX_REMEMBERED:
            _memories.popitem(last=False)
    return memory.fingerprint


def _walked(function: Any, version: str | None, depends_on: tuple[object, ...]) -> _Memory:
    walk = Following()
    walk.start(function)
    walk.depend(depends_on)
    if version is not None:
        walk.add_version(version)
    walk.finish()
    parts = dict(sorted(walk.parts.items()))
    return _Memory(
        function,
        depends_on,
        walk.guards,
        walk.named,
        CodeFingerprint(
            digest=digests.of_json(parts),
            parts=parts,
            widened=tuple(dict.fromkeys(walk.widened)),
            files=tuple(sorted(set(walk.files))),
            variables=tuple(sorted(set(walk.variables))),
        ),
    )
