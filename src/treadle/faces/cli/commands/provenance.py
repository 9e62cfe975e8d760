"""`treadle why`, `impact`, `replay`, `verify`: where things come from, what came of them, and the same once more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

from treadle.faces.cli.rendering import Branch, Paper, cell, duration, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong, read_time

if TYPE_CHECKING:
    from datetime import datetime

    from treadle.loops.provenance import Node
    from treadle.loops.provenance.records import ReplayedPart

_WIDTH = 100
"""Letters in a line of facts."""

_MOST_LEAVES = 6
"""Of so many neighbours of one kind with nothing below them, the first few stand for all; `--json` has every one."""

_WITHOUT_ID = ("features", "feature view", "rows", "truth", "endpoint")
"""Kinds whose title says all that can be asked for."""


def why(
    session: Session,
    id: Annotated[str, "pred_…, run_…, snap_…, land_…:17, alert_…, sha256:…, late-arrival/3, late-arrival@champion"],
    *,
    rows: Annotated[int, "raw rows shown for each feature view"] = 3,
) -> None:
    """Where it comes from: of a prediction its revision, model, training run, code, environment, features, raw rows."""
    found = session.client.provenance.why(id=id, rows=rows)
    session.out.show(found, lambda paper: paper.tree(_branch(found)))


def impact(
    session: Session,
    id: Annotated[str, "snap_…, run_…, land_…:17, sha256:…, late-arrival/3"],
) -> None:
    """What came of it: runs, model versions with their aliases, endpoints, and how many predictions."""
    found = session.client.provenance.impact(id=id)
    session.out.show(found, lambda paper: paper.tree(_branch(found)))


def replay(
    session: Session,
    prediction: Annotated[str | None, "the prediction's id (pred_…)"] = None,
    *,
    endpoint: Annotated[str | None, "instead of one prediction: a window of this endpoint's"] = None,
    revision: Annotated[int | None, "the revision that is asked what it would have said"] = None,
    since: Annotated[
        str | None, Option("the window's beginning (2013-04-01, 2013-04-01T12:00Z)", metavar="TIME")
    ] = None,
    until: Annotated[str | None, Option("the window's end", metavar="TIME")] = None,
) -> int:
    """Computes a past prediction again, and the features that it was made from, and compares them bit for bit.

    The features come from the recorded code and inputs, in a fresh process. Exit code 0 when both come out the same, to
    the bit or within a millionth; 1 when they do not, or cannot be made again.
    With --endpoint, --revision, --since and --until: what that revision would have said in the window, and how both fare
    against the truth, where it is known.
    """
    if endpoint is not None or revision is not None or prediction is None:
        return _hindsight(session, prediction, endpoint, revision, read_time(since), read_time(until))
    found = session.client.provenance.replay(prediction=prediction)

    def draw(paper: Paper) -> None:
        for name, part in (("model", found.model), ("features", found.features)):
            paper.sheet({name: part.verdict})
            if part.reason:
                paper.line(f"  {part.reason}")
        if found.features.differences:
            paper.line()
            paper.table(
                ("input", "served", "now"),
                [(each.name, cell(each.served), cell(each.now)) for each in found.features.differences],
            )

    session.out.show(found, draw)
    return 0 if _is_same(found.model) and _is_same(found.features) else 1


def _hindsight(
    session: Session,
    prediction: str | None,
    endpoint: str | None,
    revision: int | None,
    since: datetime | None,
    until: datetime | None,
) -> int:
    if prediction is not None or endpoint is None or revision is None or since is None or until is None:
        raise UsageWrong(
            "Name one prediction, or a window by --endpoint, --revision, --since and --until.",
            fix="treadle replay --endpoint E --revision 7 --since 2013-04-01 --until 2013-04-08",
        )
    found = session.client.replays.window(endpoint=endpoint, revision=revision, since=since, until=until)

    def draw(paper: Paper) -> None:
        flips = found.label_flips
        paper.sheet(
            {
                "revision": f"{found.revision} ({found.model} {found.model_version})",
                "predictions": f"{found.rows:,}"
                + (f", {found.left_out:,} older ones left out" if found.left_out else ""),
                "identical": f"{found.identical:,}",
                "difference": ", ".join(f"{value:.3g} at {name}" for name, value in found.difference_quantiles.items()),
                "labels": None if flips is None else cell(flips) if flips else "none flips",
                "mean score": f"{found.mean_served:.4g} served, {found.mean_replayed:.4g} replayed",
                "truth known": f"{found.with_truth:,}",
            }
        )
        if found.served:
            rows = [(name, value, found.replayed[name]) for name, value in found.served.items()]
            paper.table(("against the truth", "served", f"revision {found.revision}"), rows)
        if found.moved:
            paper.title("Moved most")
            paper.table(
                ("prediction", "about", "by revision", "served", "replayed", "truth"),
                [
                    (one.prediction_id, one.entity, one.revision, one.served, one.replayed, one.truth)
                    for one in found.moved
                ],
            )

    session.out.show(found, draw)
    return 0


def verify(
    session: Session,
    id: Annotated[str, "late-arrival/3, late-arrival@champion, or a run's id (run_…)"],
) -> int:
    """Trains a model again, or makes a run again, from recorded code, data and settings, and puts the verdict on record.

    identical-bytes, identical-model, identical-predictions, equal-to-1e-6 or different. It runs in a fresh process, with
    nothing reused, and takes as long as it took. Exit code 0 for identical predictions or better, else 1.
    """
    session.out.note("Making it again in a fresh process, with nothing reused …")
    found = session.client.provenance.verify(id=id)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "environment": found.environment.verdict,
                "differs in": "; ".join(found.environment.differences) or None,
                "verdict": found.verdict,
                "first difference": found.first_difference,
                "predictions differ by": found.largest_difference or None,
                "of": f"{found.subject}, made in {found.of_run}",
                "made again in": f"{found.run}, {duration(found.seconds)}",
                "evidence": found.evidence,
            }
        )
        paper.line()
        paper.table(
            ("", "step", "took", "result then", "result now"),
            [
                (step.verdict, step.path, duration(step.seconds), _digest(step.recorded), _digest(step.now))
                for step in found.steps
            ],
        )
        for note in found.notes:
            paper.line(note)

    session.out.show(found, draw)
    return 0 if found.verdict in ("identical-bytes", "identical-model", "identical-predictions") else 1


def _is_same(part: ReplayedPart) -> bool:
    return part.verdict in ("identical", "within tolerance")


def _digest(digest: str | None) -> str:
    return "–" if digest is None else short_digest(digest)


def _branch(node: Node) -> Branch:
    """A node as a branch: what it is, its id, then its facts and what there is to say, in lines that fit a screen."""
    head = node.relation + ":" if node.relation else "" if node.kind == "rows" else node.kind
    text = f"{head} {node.title}".strip()
    id = "" if node.kind in _WITHOUT_ID else f"{_short_id(node.id)}  "
    if not node.facts and node.note:
        return Branch(text, f"{id}{node.note}", _below(node.children))
    lines = _wrapped(f"{key} {_value(value)}" for key, value in node.facts.items())
    lines += textwrap.wrap(node.note, _WIDTH)
    return Branch(text, "\n".join([id.rstrip(), *lines]).rstrip() or "", _below(node.children))


def _below(nodes: list[Node]) -> Iterable[Branch]:
    """Branches of the children; a long line of leaves of one kind is cut."""
    leaves: dict[str, int] = {}
    for node in nodes:
        key = "" if node.children else f"{node.kind} {node.title.partition('#')[0]}"
        leaves[key] = leaves.get(key, 0) + 1
        if not key or leaves[key] <= _MOST_LEAVES:
            yield _branch(node)
    for key, count in leaves.items():
        if key and count > _MOST_LEAVES:
            yield Branch(f"… and {count - _MOST_LEAVES} more of {key}")


def _short_id(id: str) -> str:
    return f"sha256:{short_digest(id)}" if id.startswith("sha256:") else id


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_value(entry)}" for name, entry in value.items())
    text = cell(value)
    return f"sha256:{short_digest(text)}" if text.startswith("sha256:") and len(text) == 71 else text


def _wrapped(facts: Iterable[str]) -> list[str]:
    """The facts with dots between them, in lines."""
    lines: list[str] = []
    for fact in facts:
        fact = textwrap.shorten(fact, _WIDTH, placeholder=" …")
        if lines and len(lines[-1]) + 3 + len(fact) <= _WIDTH:
            lines[-1] += f" · {fact}"
        else:
            lines.append(fact)
    return lines
