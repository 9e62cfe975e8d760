"""A landing whose rows were made of another dataset's: they keep their ids, and take the place of what was there.

What it takes away is decided before the landing's turn, so it only goes on where nothing else has landed meanwhile, or is
about to: rows that came in between would stand beside the new ones.
"""

from __future__ import annotations

from pathlib import Path

from treadle.kernel.store import Transaction
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.collect.errors import DerivationOvertaken
from treadle.systems.collect.intents import intents
from treadle.systems.collect.landing import Claim
from treadle.systems.collect.repository import find_dataset


def still_there(project: str, dataset: str, head: Snapshot | None, root: Path, claim: Claim) -> Claim:
    """The claim, and before it: the dataset is as it was, and no other landing of it is past its point of no return."""

    def work(tx: Transaction, landing: str) -> None:
        row = find_dataset(tx, project, dataset, root)
        now = None if row is None else row.head_snapshot
        others = [one for one in intents(tx, project, dataset) if one.is_planned and one.id != landing]
        if now != (None if head is None else head.id) or others:
            raise DerivationOvertaken(
                f"Something else has landed in {dataset!r} meanwhile.",
                why=f"{others[0].id} is landing now." if others else f"Its newest snapshot is {now} now.",
                fix="Do it again; nothing was changed.",
                dataset=dataset,
            )
        claim(tx, landing)

    return work
