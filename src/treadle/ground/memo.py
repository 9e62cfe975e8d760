"""A property that is computed once for each object, also when several threads ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

_making = threading.RLock()


class cached_property(Generic[T]):  # noqa: N801 -- it stands in for functools' own
    """`functools.cached_property` with a lock, which that one has lost with Python 3.12: a second store would be opened.

    One lock for all: properties make each other, and two locks taken in two orders would wait for ever.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> cached_property[T]: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> cached_property[T] | T:
        if instance is None:
            return self
        with _making:
            known = vars(instance)
            if self._name not in known:
                known[self._name] = self._make(instance)
            found: T = known[self._name]
            return found
