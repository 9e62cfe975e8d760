"""Model specifications as a user's pipeline sees them: what to try, who leads, what the card says.

`td.register_spec`, `td.spec`, `td.leaderboard` and `td.card` are acts of a run; what is pure (candidates, baselines, the
gate) is there as `from treadle import design`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.assembly import current_workspace
from treadle.ground.errors import InvalidInput
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.handles import Handle
from treadle.systems.design import (
    Baseline,
    BaseRate,
    Candidate,
    Check,
    DesignNamed,
    Entry,
    HistoryRate,
    Leaderboard,
    ModelSpec,
    PartReport,
    RegisterSpec,
    TimeSplit,
    candidates,
    from_mapping,
    gate,
    load,
    model_card,
    rank,
)
from treadle.systems.design.baselines import fit as fit_baseline
from treadle.systems.design.baselines import from_json as baseline_from_json
from treadle.systems.design.errors import LeaderboardNotFound
from treadle.systems.design.service import card_content
from treadle.systems.design.spec import as_json

if TYPE_CHECKING:
    from treadle.kernel.store import Transaction
    from treadle.loops.release import Finding, GatePolicy


class NotOfASpec(InvalidInput):
    """A step's figures do not fit the specification that it is to be ranked by."""

    code = "design.not_of_a_spec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A leaderboard with the handles that stand on it.

    `best` is the leading candidate, `bar` the leading baseline (None without baselines): what a candidate has to beat.
    """

    leaderboard: Leaderboard
    digest: str
    best: Any
    bar: Any
    entry: Entry
    """The leading candidate's line."""
    checks: Sequence[Check]
    """What the specification's gate says of it."""

    @property
    def conditions(self) -> list[Finding]:
        """The checks as a challenge takes them."""
        from treadle.loops.release import Finding

        return [
            Finding(
                name=f"{check.condition} (model spec)",
                passed=check.passed,
                found="not measured" if check.measured is None else f"{check.measured:.4f}",
                wanted="measured baselines" if check.bound is None else f"{check.bound:.4f}",
            )
            for check in self.checks
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model card that is kept: the digest under which a version names it, and its rendering."""

    digest: str
    markdown: str


def register_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """Makes the specification in a TOML or YAML file the current one of its name; the same one again changes nothing.

    Raises InvalidModelSpec.
    """
    workspace = current_workspace()
    found = load(Path(path))
    workspace.designs.register(workspace.caller, RegisterSpec(spec=found.describe()))
    return found


def spec(name: str) -> ModelSpec:
    """The current specification of a name; inside a pipeline the one that this run began with. Raises ModelSpecNotFound."""
    workspace = current_workspace()

    def resolve(_: object = None) -> dict[str, Any]:
        return workspace.designs.spec(workspace.caller, name).describe()

    if current_driver.get() is None:
        return from_mapping(resolve())
    return from_mapping(workspace.engine.act("spec", resolve, params={"name": name}, preview=resolve))


def chosen(name: str) -> dict[str, Any]:
    """The parameters of the candidate that leads the newest leaderboard of a specification.

    Raises LeaderboardNotFound when nothing has been tried yet.
    """
    workspace = current_workspace()

    def resolve(_: object = None) -> dict[str, Any]:
        best = workspace.designs.leaderboard(workspace.caller, DesignNamed(name=name)).leaderboard.best
        if best is None:
            raise LeaderboardNotFound(f"No candidate leads the leaderboard of {name!r}.", fix="Train its candidates.")
        return dict(best.params)

    if current_driver.get() is None:
        return resolve()
    return dict(workspace.engine.act("chosen", resolve, params={"name": name}, preview=resolve))


def leaderboard(
    spec: ModelSpec,
    *,
    candidates: Sequence[tuple[Candidate, Any]],
    baselines: Sequence[tuple[Baseline, Any]] = (),
    data: Mapping[str, Any] | None = None,
) -> Board:
    """Ranks what the steps have logged, and keeps the leaderboard as the newest of the specification and as this run's.

    candidates, baselines: what was asked, with the handle of the step that trained and measured it. The step logs the
    metrics of the specification by their names, measured on the part on which models are ranked, and, if it can, the
    bounds of the primary one (`auc_lower`, `auc_upper`). data: the snapshots behind it, by dataset.
    Raises NotOfASpec when a step did not log the primary metric.
    """
    workspace = current_workspace()
    lines = [_entry(spec, "candidate", one.name, handle, one.params, one.seed) for one, handle in candidates]
    lines += [_entry(spec, "baseline", one.name, handle) for one, handle in baselines]
    board = rank(spec, lines, {name: getattr(found, "id", str(found)) for name, found in (data or {}).items()})
    driver: Any = current_driver.get()
    handles = {line.name: handle for line, (_, handle) in zip(lines, [*candidates, *baselines], strict=True)}

    def record(tx: Transaction) -> dict[str, Any]:
        run = None if driver is None else driver.run
        return workspace.designs.record_in(tx, workspace.caller, board, run=run)

    workspace.engine.act(
        "leaderboard",
        record,
        inputs={f"entries[{name}]": handle for name, handle in handles.items()},
        params={"spec": spec.digest, "data": dict(board.snapshots)},
    )
    best = board.best
    if best is None:
        raise NotOfASpec(f"No candidate of {spec.name!r} was measured by {spec.metric.name!r}.")
    bar = next((line for line in board.entries if line.kind == "baseline"), None)
    return Board(
        leaderboard=board,
        digest=workspace.artifacts.digest(as_json(board)),
        best=handles[best.name],
        bar=None if bar is None else handles[bar.name],
        entry=best,
        checks=gate(spec, board, best),
    )


def card(
    spec: ModelSpec,
    board: Board,
    *,
    parts: Sequence[PartReport],
    made_at: datetime,
    facts: Mapping[str, Any] | None = None,
) -> Card:
    """The card of the leading candidate, kept; a version names it: `td.register(…, card=card)`.

    parts: the parts of the time split and what became of their rows. facts: further lines by title.
    """
    workspace = current_workspace()
    made = model_card(
        spec,
        board.leaderboard,
        board.entry,
        checks=board.checks,
        parts=parts,
        made_at=made_at,
        facts={"Leaderboard": board.digest, **(facts or {})},
    )
    content = card_content(made)
    workspace.engine.act(
        "card",
        lambda _: content,
        inputs={"model": board.best},
        params={"spec": spec.digest, "leaderboard": board.digest, "facts": {key: str(value) for key, value in (facts or {}).items()}},
    )  # fmt: skip
    return Card(digest=workspace.artifacts.digest(content), markdown=str(content["markdown"]))


def last_trained(model: str) -> datetime | None:
    """The moment for which the newest version's card was made; None without a version or a card.

    Inside a pipeline it is looked up once and recorded: what a cool-down after a retraining rests on.
    """
    workspace = current_workspace()

    def resolve(_: object = None) -> str | None:
        if model not in {one.name for one in workspace.registry.models.list(workspace.caller)}:
            return None
        with workspace.store.read() as reader:
            newest = workspace.registry.models.resolve(reader, workspace.project, model, "newest")
            kept = None if newest.card is None else ArtifactRows().get(reader, workspace.project, newest.card)
        return None if kept is None else str(workspace.artifacts.load(kept)["card"]["made_at"])

    if current_driver.get() is None:
        found = resolve()
    else:
        found = workspace.engine.act("last_trained", resolve, params={"model": model}, preview=resolve)
    return None if found is None else datetime.fromisoformat(found)


def promotion_policy(spec: ModelSpec) -> GatePolicy:
    """What the specification says it takes to become champion, as `td.challenge(policy=…)` takes it."""
    from treadle.loops.release import GatePolicy

    return GatePolicy(**asdict(spec.promotion))


def _entry(
    spec: ModelSpec,
    kind: Any,
    name: str,
    handle: Any,
    params: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Entry:
    if not isinstance(handle, Handle):
        raise NotOfASpec(f"{name!r} is no handle of a step.", fix="Call td.leaderboard inside a pipeline.")
    logged = handle.metrics
    primary = spec.metric.name
    if primary not in logged:
        raise NotOfASpec(
            f"The step {handle.path!r} has logged no {primary!r}, by which {spec.name!r} ranks.",
            why=f"It has logged {', '.join(sorted(logged)) or 'nothing'}.",
            fix=f"Log it in the step: td.log_metric({primary!r}, value)",
        )
    bounds = logged.get(f"{primary}_lower"), logged.get(f"{primary}_upper")
    reported = dict.fromkeys((primary, *spec.metrics))
    return Entry(
        name=name,
        kind=kind,
        metrics={spec.metric.split: {metric: logged[metric] for metric in reported if metric in logged}},
        params=dict(params or {}),
        seed=seed,
        interval=None if bounds[0] is None or bounds[1] is None else (bounds[0], bounds[1]),
        run=handle.run,
        artifact=handle.digest,
    )


__all__ = [
    "BaseRate",
    "Baseline",
    "Board",
    "Candidate",
    "Card",
    "Entry",
    "HistoryRate",
    "Leaderboard",
    "ModelSpec",
    "PartReport",
    "TimeSplit",
    "baseline_from_json",
    "candidates",
    "card",
    "chosen",
    "fit_baseline",
    "from_mapping",
    "gate",
    "last_trained",
    "leaderboard",
    "load",
    "model_card",
    "promotion_policy",
    "rank",
    "register_spec",
    "spec",
]
