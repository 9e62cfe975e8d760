"""Treadle: every system of MLOps on one graph of provenance.

`import treadle as td` is all that a user's script needs. This module defines nothing: it hands out the public names when
they are first asked for (PEP 562), so that importing it costs a millisecond and no library.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:  # the typing module itself would double the price of the import
    from typing import Any

    from treadle.faces.sdk import design as design
    from treadle.faces.sdk import features as features
    from treadle.faces.sdk import sources as sources
    from treadle.faces.sdk import stats as stats
    from treadle.faces.sdk.cleaning import clean as clean
    from treadle.faces.sdk.contracts import conforming as conforming
    from treadle.faces.sdk.datasets import Batch as Batch
    from treadle.faces.sdk.datasets import FileSet as FileSet
    from treadle.faces.sdk.datasets import contract as contract
    from treadle.faces.sdk.datasets import dataset as dataset
    from treadle.faces.sdk.design import card as card
    from treadle.faces.sdk.design import chosen as chosen
    from treadle.faces.sdk.design import leaderboard as leaderboard
    from treadle.faces.sdk.design import register_spec as register_spec
    from treadle.faces.sdk.design import spec as spec
    from treadle.faces.sdk.models import challenge as challenge
    from treadle.faces.sdk.models import model as model
    from treadle.faces.sdk.models import register as register
    from treadle.faces.sdk.models import signature as signature
    from treadle.faces.sdk.quarantine import quarantine as quarantine
    from treadle.faces.sdk.querying import query as query
    from treadle.faces.sdk.rules import rule as rule
    from treadle.faces.sdk.running import ConcurrencyLimit as ConcurrencyLimit
    from treadle.faces.sdk.running import DataWindow as DataWindow
    from treadle.faces.sdk.running import Handle as Handle
    from treadle.faces.sdk.running import Limits as Limits
    from treadle.faces.sdk.running import Resources as Resources
    from treadle.faces.sdk.running import Schedule as Schedule
    from treadle.faces.sdk.running import Window as Window
    from treadle.faces.sdk.running import Workspace as Workspace
    from treadle.faces.sdk.running import each as each
    from treadle.faces.sdk.running import env as env
    from treadle.faces.sdk.running import file as file
    from treadle.faces.sdk.running import load as load
    from treadle.faces.sdk.running import on_alert as on_alert
    from treadle.faces.sdk.running import on_contract as on_contract
    from treadle.faces.sdk.running import on_event as on_event
    from treadle.faces.sdk.running import on_labels as on_labels
    from treadle.faces.sdk.running import on_landing as on_landing
    from treadle.faces.sdk.running import open_workspace as open_workspace
    from treadle.faces.sdk.running import pipeline as pipeline
    from treadle.faces.sdk.running import publish as publish
    from treadle.faces.sdk.running import run as run
    from treadle.faces.sdk.running import secret as secret
    from treadle.faces.sdk.running import step as step
    from treadle.faces.sdk.running import use as use
    from treadle.faces.sdk.scoring import batch_score as batch_score
    from treadle.faces.sdk.serving import deploy as deploy
    from treadle.faces.sdk.serving import watch as watch
    from treadle.faces.sdk.sources import source as source
    from treadle.faces.sdk.training_sets import training_set as training_set
    from treadle.faces.sdk.tuning import optuna_storage as optuna_storage
    from treadle.ground.errors import TreadleError as TreadleError
    from treadle.kernel.engine.acts import best_of as best_of
    from treadle.kernel.engine.acts import now as now
    from treadle.kernel.engine.acts import wait_for_approval as wait_for_approval
    from treadle.kernel.engine.acts import wait_for_event as wait_for_event
    from treadle.kernel.engine.acts import wait_until as wait_until
    from treadle.kernel.engine.reporting import checkpoint as checkpoint
    from treadle.kernel.engine.reporting import idempotency_key as idempotency_key
    from treadle.kernel.engine.reporting import log_metric as log_metric
    from treadle.kernel.engine.reporting import log_metrics as log_metrics
    from treadle.kernel.engine.reporting import progress as progress

    __version__: str

_NAMES = {
    "treadle.faces.sdk.cleaning": ("clean",),
    "treadle.faces.sdk.contracts": ("conforming",),
    "treadle.faces.sdk.datasets": ("Batch", "FileSet", "contract", "dataset"),
    "treadle.faces.sdk.design": ("card", "chosen", "leaderboard", "register_spec", "spec"),
    "treadle.faces.sdk.models": ("challenge", "model", "register", "signature"),
    "treadle.faces.sdk.quarantine": ("quarantine",),
    "treadle.faces.sdk.querying": ("query",),
    "treadle.faces.sdk.rules": ("rule",),
    "treadle.faces.sdk.running": (
        "ConcurrencyLimit", "DataWindow", "Handle", "Limits", "Resources", "Schedule", "Window", "each", "env", "file",
        "load", "on_alert", "on_contract", "on_event", "on_labels", "on_landing",
        "open_workspace", "pipeline", "publish", "run", "secret", "step", "use", "Workspace",
    ),
    "treadle.faces.sdk.scoring": ("batch_score",),
    "treadle.faces.sdk.serving": ("deploy", "watch"),
    "treadle.faces.sdk.training_sets": ("training_set",),
    "treadle.faces.sdk.sources": ("source",),
    "treadle.faces.sdk.tuning": ("optuna_storage",),
    "treadle.ground.errors": ("TreadleError",),
    "treadle.kernel.engine.acts": ("best_of", "now", "wait_for_approval", "wait_for_event", "wait_until"),
    "treadle.kernel.engine.reporting": ("checkpoint", "idempotency_key", "log_metric", "log_metrics", "progress"),
}  # fmt: skip
_MODULES = {
    "design": "treadle.faces.sdk.design",
    "features": "treadle.faces.sdk.features",
    "sources": "treadle.faces.sdk.sources",
    "stats": "treadle.faces.sdk.stats",
}
"""Names that are modules: `from treadle import features`."""

_HOME_OF = {name: module for module, names in _NAMES.items() for name in names}
"""Where each public name lives."""

__all__ = [
    "Batch", "ConcurrencyLimit", "DataWindow", "FileSet", "Handle", "Limits", "Resources", "Schedule", "TreadleError",
    "Window", "Workspace", "__version__",
    "batch_score", "best_of", "card", "challenge", "checkpoint", "chosen", "clean", "conforming", "contract", "dataset", "deploy", "design",
    "each", "env", "features", "file", "idempotency_key", "leaderboard", "load", "log_metric", "log_metrics", "model",
    "now", "on_alert", "on_contract", "on_event", "on_labels", "on_landing", "open_workspace", "optuna_storage", "pipeline", "progress", "publish",
    "quarantine", "query",
    "register", "register_spec", "rule", "run", "secret", "signature", "source", "sources", "spec", "stats", "step", "training_set", "use",
    "wait_for_approval",
    "wait_for_event", "wait_until", "watch",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("importlib.metadata").version("treadle")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    elif name in _MODULES:
        value = import_module(_MODULES[name])
    else:
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
