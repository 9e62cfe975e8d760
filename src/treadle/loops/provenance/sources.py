"""What provenance reads: every part that knows something of how things came to be."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import EvidenceRows, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store
from treadle.loops.provenance.ports import Truth
from treadle.systems.collect import Datasets
from treadle.systems.features.service import Features
from treadle.systems.monitor import AlertService
from treadle.systems.prepare import Cleanings, Incidents
from treadle.systems.serve import Endpoints, Predictions
from treadle.systems.train import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts, for one store."""

    store: Store
    artifacts: Artifacts
    events: EventLog
    refs: Refs
    evidence: EvidenceRows
    datasets: Datasets
    features: Features
    models: Models
    endpoints: Endpoints
    predictions: Predictions
    alerts: AlertService
    cleanings: Cleanings
    incidents: Incidents
    truth: Truth
