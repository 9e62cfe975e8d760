"""Watches endpoints: drift of what comes in, performance once the truth is known, and the alerts that follow."""

from treadle.systems.monitor.alert_service import AlertService
from treadle.systems.monitor.ports import PredictionReader, ReferenceReader, TruthReader
from treadle.systems.monitor.service import MonitorService

__all__ = ["AlertService", "MonitorService", "PredictionReader", "ReferenceReader", "TruthReader"]
