"""A page of a list: some of its items, and where the next page begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`next` is None on the last page; else it is given back as `after` to get the one that follows."""

    items: list[T]
    next: str | None = None
