"""Endpoints as a user's pipeline sees them: deploy a version, and watch what it does from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.assembly import current_workspace

if TYPE_CHECKING:
    from treadle.kernel.store import Transaction
    from treadle.systems.serve import Endpoint
    from treadle.systems.train import ModelVersion


def deploy(
    endpoint: str,
    version: ModelVersion,
    *,
    share: float = 1.0,
    allow_backdating: bool | None = None,
    threads: int = 1,
    features: str | None = None,
    reason: str = "",
) -> Endpoint:
    """Gives a version a share of an endpoint's traffic; servers follow within a second, without a failed request.

    features: the feature service whose online values the server reads by the keys of a request; None stays as it was,
    an empty one lets requests bring the vectors. The model is loaded and its probe answered before anything moves. In a resumed run the recorded deployment is
    answered, and its route document written again if it was lost. Raises BadDeployment, BadModel.
    """
    from treadle.systems.serve import DeployEndpoint, EndpointNamed

    workspace = current_workspace()
    request = DeployEndpoint(
        endpoint=endpoint,
        model=version.model,
        version=str(version.number),
        share=share,
        threads=threads,
        allow_backdating=allow_backdating,
        features=features,
        reason=reason,
    )
    prepared: list[Any] = []

    def effect(tx: Transaction) -> int:
        return workspace.endpoints.deploy_in(tx, workspace.caller, prepared[0]).route.number

    workspace.engine.act(
        "deploy",
        effect,
        params={"endpoint": endpoint, "version": version.subject, "share": share},
        durable=True,
        before=lambda: prepared.append(workspace.endpoints.prepare(workspace.caller, request)),
    )
    workspace.endpoints.publish(workspace.project, endpoint)
    return workspace.endpoints.get(workspace.caller, EndpointNamed(endpoint=endpoint)).endpoint


def watch(endpoint: str, version: ModelVersion, *, training: Any, validation: Any = None, **options: Any) -> str:
    """Watches an endpoint, holding it against what this version was trained on; answers the monitor's name.

    training: the handle of the frame that it was trained on. validation: that of its scored validation rows (`score`,
    `truth`, `event_at`). options: those of `CreateMonitor`, for the first time. A monitor that is there gets a new
    reference, and its alerts about other versions end. Happens once in a run.
    """
    from treadle.systems.monitor.requests import CreateMonitor, RebaseMonitor

    workspace = current_workspace()
    number = str(version.number)
    addresses = {"training": training.digest, "validation": None if validation is None else validation.digest}

    def begin() -> None:
        known = {monitor.name for monitor in workspace.monitors.list(workspace.caller)}
        if endpoint in known:
            request = RebaseMonitor(name=endpoint, model_version=number, **addresses)
            workspace.monitors.rebase(workspace.caller, request)
        else:
            first = CreateMonitor(name=endpoint, endpoint=endpoint, model_version=number, **addresses, **options)
            workspace.monitors.create(workspace.caller, first)

    inputs = {role: frame for role, frame in (("training", training), ("validation", validation)) if frame is not None}
    params = {"endpoint": endpoint, "version": version.subject}
    return str(workspace.engine.act("watch", lambda _: endpoint, inputs=inputs, params=params, before=begin))
