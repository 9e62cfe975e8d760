"""`treadle features skew`: what was served, computed again from the snapshots and compared."""

from __future__ import annotations

import json
from typing import Annotated

from treadle.faces.cli.commands.online import moment_of
from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong


def check(
    session: Session,
    service: Annotated[str, "the feature service"],
    *,
    since: Annotated[str | None, "what was served from then on (default: all that the log holds)"] = None,
    sample: Annotated[int, "at most so many vectors, the newest"] = 1_000,
    tolerance: Annotated[
        list[str] | None, Option("FEATURE=NUMBER: differences that are none; repeat it", metavar="FEATURE=NUMBER")
    ] = None,
) -> int:
    """Computes served vectors again from the snapshots, as a training set would, and compares the bits.

    Ends with 1 where a value was not the one of training; an incident is open for it then.
    """
    found = session.client.skew.check(
        service=service,
        since=None if since is None else moment_of("since", since),
        sample=sample,
        tolerance=dict(_tolerance(text) for text in tolerance or []),
    )

    def draw(paper: Paper) -> None:
        rows = [
            (one.view, one.feature, one.checked, one.different, ", ".join(f"{n} {cause}" for cause, n in one.causes.items()), one.largest)
            for one in found.features
        ]  # fmt: skip
        columns = ("view", "feature", "checked", "different", "why", "largest")
        paper.table(columns, rows, empty="Nothing of it is in the log of served vectors.")
        for one in found.features:
            for example in one.examples[:1]:
                paper.title(f"{one.feature}, for one")
                paper.sheet(
                    {
                        "entity": json.dumps(dict(example.entity), default=str),
                        "served": json.dumps(example.served),
                        "trained": json.dumps(example.trained),
                        "at": example.served_at,
                        "why": example.cause,
                    }
                )
        for reason, count in found.unchecked.items():
            paper.line(f"{count} not explained: {reason}", style="dim")
        if found.incidents:
            paper.line(f"Incidents: {', '.join(found.incidents)}")

    session.out.show(found, draw)
    return int(any(one.different for one in found.features))


def _tolerance(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise UsageWrong(f"--tolerance: {text!r} is no FEATURE=NUMBER.") from None
