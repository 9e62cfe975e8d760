"""What the walk along the graph answers: a tree of things, each with the facts that matter about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing on the way: a prediction, a model version, a run, an artifact, a snapshot, a row.

    relation: how it belongs to the node above (`served by`, `trained by`, `input rows`). facts: what to show, in order.
    note: where the walk stops or repeats itself, and why.
    """

    kind: str
    id: str
    title: str
    relation: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    children: Sequence[Node] = ()
    note: str = ""

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, kind: str) -> Node | None:
        """The first node of a kind, in the order of `walk`."""
        return next((node for node in self.walk() if node.kind == kind), None)
