"""A landing whose rows take the place of all that a dataset holds: a source that is read as a whole, again and again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from treadle.kernel.vocabulary.datasets import Column, Snapshot
from treadle.systems.collect.plans import Part, Plan, content_after


def in_place_of(plan: Plan, dataset: str, head: Snapshot | None, folder: Path) -> Plan:
    """The plan that adds its rows and removes those of `head` (with its files), and holds on no other snapshot.

    The content id says nothing of what was there before, so a source that has not changed has the content that stands
    already: then what was written is deleted, and no snapshot is made.
    """
    written = next((part for part in plan.parts if part.dataset == dataset), None)
    others = [part for part in plan.parts if part.dataset != dataset]
    if written is None:
        if head is None or not head.rows:
            return plan
        written = Part(dataset=dataset, columns=[Column(name=c.name, type=c.type) for c in head.columns], content="")
    content_id = content_after(None, written.content or "")
    if head is not None and head.content_id == content_id:
        for file in written.added:
            (folder / file.path).unlink(missing_ok=True)
        return msgspec.structs.replace(plan, parts=others)
    removed = [] if head is None else list(head.files)
    made_for = "" if head is None else head.id
    part = msgspec.structs.replace(written, removed=removed, content_id=content_id, on=made_for)
    return msgspec.structs.replace(plan, parts=[*others, part])
