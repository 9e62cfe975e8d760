"""Models as a user's pipeline sees them: describe their inputs, register them, challenge the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treadle.assembly import current_workspace
from treadle.ground.errors import InvalidInput
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.handles import Handle, load

if TYPE_CHECKING:
    from treadle.kernel.store import Transaction
    from treadle.loops.release import Finding, GatePolicy, Verdict
    from treadle.systems.train import ModelVersion


def signature(
    frame: Any,
    *,
    features: Sequence[str],
    task: str = "binary",
    classes: Sequence[str] = (),
    threshold: float | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The signature of a model that takes these columns of the frame, in this order. See `describe_inputs`."""
    from treadle.loops.release.registering import describe_inputs

    return describe_inputs(
        load(frame), features=features, task=task, classes=classes, threshold=threshold, categories=categories
    )


def model(name: str) -> PinnedModel:
    """A registered model, to be handed to a step: `late-arrival@champion`, `late-arrival/3`, or the newest version.

    Inside a pipeline the alias is resolved once and recorded. Raises ModelNotFound, ModelVersionNotFound.
    """
    workspace = current_workspace()
    line, at, alias = name.partition("@")
    if not at:
        line, _, alias = name.partition("/")

    def resolve(_: object = None) -> int:
        with workspace.store.read() as reader:
            return workspace.registry.models.resolve(reader, workspace.project, line, alias or "newest").number

    number = (
        resolve() if current_driver.get() is None else workspace.engine.act("model", resolve, params={"name": name})
    )
    with workspace.store.read() as reader:
        version = workspace.registry.models.resolve(reader, workspace.project, line, str(number))
    return PinnedModel(
        model=line, number=version.number, digest=version.digest, made_by=version.run, project=workspace.project
    )


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A registered version that a run is pinned to; as an argument of a step it is known by its canonical digest."""

    model: str
    number: int
    digest: str
    made_by: str | None
    project: str

    def treadle_load(self, as_type: Any) -> Any:
        """The model object."""
        from treadle.kernel.catalog import ArtifactRows

        workspace = current_workspace()
        with workspace.store.read() as reader:
            artifact = ArtifactRows().get(reader, self.project, self.digest)
        return workspace.artifacts.load(artifact, as_type)

    def treadle_producer(self) -> str | None:
        """The run that trained it."""
        return self.made_by


def register(
    name: str,
    model: Any,
    *,
    signature: Any,
    probe: Any,
    metrics: Mapping[str, float] | None = None,
    data: Mapping[str, Any] | None = None,
    reference: Mapping[str, Any] | None = None,
    card: Any = None,
    description: str = "",
    engine: str = "fastest",
    tolerance: float = 1e-6,
) -> ModelVersion:
    """Registers the result of a step as the next version of a model, and answers the version.

    model: the handle of the step that made it. signature: what `td.signature` gave. probe: a frame with a few rows of
    its inputs; the scores that the model gives for them are stored, and every server has to give them again before it
    takes traffic. metrics: by default those that the step logged. data: snapshots by role (`{"training": snapshot}`).
    reference: handles of frames that monitoring starts from (`{"training": …, "validation": …}`).
    engine: in which form it is served: the `fastest` of those whose scores lie within `tolerance` of the model's own, on
    the rows of `probe` (20,000 of them at most), and flip no label; or one by name (`treadle models engines`).
    In a resumed run the recorded version is answered and nothing is registered twice.
    """
    from treadle.kernel.catalog import ArtifactRows
    from treadle.loops.release.converting import Converted, convert
    from treadle.loops.release.registering import make_probe
    from treadle.loops.release.servable import is_servable
    from treadle.systems.train import Registration

    workspace = current_workspace()
    if not isinstance(model, Handle):
        raise InvalidInput(
            f"Only what a step made can be registered, not a bare {type(model).__qualname__}.",
            why="A version names the run that made it, so that it can be explained and made again.",
            fix="Call td.register inside a pipeline, with the handle that the training step returned.",
        )
    described, fitted, rows = load(signature), load(model), load(probe)
    value = make_probe(fitted, described, rows)
    kept = workspace.artifacts.put(value)
    driver: Any = current_driver.get()
    converted: list[Converted] = []

    def compare() -> None:
        with workspace.store.read() as reader:
            artifact = ArtifactRows().get(reader, workspace.project, model.digest)
        if is_servable(artifact):
            converted.append(
                convert(fitted, artifact, workspace.artifacts, described, rows, tolerance=tolerance, engine=engine)
            )

    registration = Registration(
        model=name,
        digest=model.digest,
        signature=described,
        probe=kept.digest,
        card=None if card is None else card.digest,
        metrics=dict(metrics if metrics is not None else model.metrics),
        data={role: getattr(snapshot, "id", str(snapshot)) for role, snapshot in (data or {}).items()},
        reference={role: getattr(found, "digest", found) for role, found in (reference or {}).items()},
        description=description,
    )

    def effect(tx: Transaction) -> dict[str, Any]:
        forms = converted[0] if converted else None
        artifacts = [kept, *(() if forms is None else forms.kept)]
        ArtifactRows().record(tx, workspace.project, artifacts, at=workspace.clock())
        version = workspace.registry.models.register_in(
            tx,
            workspace.caller,
            registration if forms is None else forms.told_by(registration),
            run=model.run,
            root=None if driver is None else driver.session.root,
        )
        return {"model": version.model, "number": version.number}

    answer = workspace.engine.act(
        "register",
        effect,
        inputs={"model": model},
        params={"name": name, "probe": kept.digest},
        durable=True,
        before=compare,
    )
    with workspace.store.read() as reader:
        return workspace.registry.models.resolve(reader, workspace.project, answer["model"], str(answer["number"]))


def challenge(
    version: ModelVersion,
    evaluation: Any,
    *,
    policy: GatePolicy | None = None,
    alias: str = "champion",
    champion_is: str = "the baseline",
    window: str = "",
    conditions: Sequence[Finding] = (),
) -> Verdict:
    """Lets a version meet whoever holds the alias, and promotes or refuses it, with the reason on record.

    evaluation: the handle of a frame with `truth`, `challenger` and `champion`: the same rows scored by both. The
    decision, its evidence and the move of the alias are one commit; in a resumed run the recorded verdict is answered.
    conditions: what must hold besides, such as a leaderboard's (`board.conditions`).
    """
    from dataclasses import asdict

    from treadle.loops.release import Challenge, GatePolicy, Verdict

    workspace = current_workspace()
    driver: Any = current_driver.get()
    request = Challenge(
        model=version.model,
        version=version.number,
        evaluation=evaluation.digest,
        alias=alias,
        policy=policy or GatePolicy(),
        champion_is=champion_is,
        window=window,
        run=None if driver is None else driver.session.root,
        conditions=tuple(conditions),
    )
    judged: list[Any] = []

    def effect(tx: Transaction) -> dict[str, Any]:
        decision, champion = judged[0]
        return asdict(workspace.release.commit(tx, workspace.caller, request, decision, champion))

    answer = workspace.engine.act(
        "challenge",
        effect,
        inputs={"evaluation": evaluation},
        params={
            "model": version.model,
            "version": version.number,
            "alias": alias,
            "policy": asdict(request.policy),
            "conditions": [asdict(one) for one in conditions],
        },
        durable=True,
        before=lambda: judged.append(workspace.release.judge(workspace.caller, request)),
    )
    return Verdict(**answer)
