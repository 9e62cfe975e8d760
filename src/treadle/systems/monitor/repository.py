"""The rows of monitoring. Every method works within the view or the transaction that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.monitor.alerts import Alert, Symptom
from treadle.systems.monitor.drift import Drift
from treadle.systems.monitor.estimating import Calibration, ErrorCurve, Estimate
from treadle.systems.monitor.impact import Impact
from treadle.systems.monitor.performance import Baseline, Performance
from treadle.systems.monitor.profiles import Profile
from treadle.systems.monitor.records import Monitor, MonitorReference, MonitorWindow
from treadle.systems.monitor.slices import Slice
from treadle.systems.monitor.slow import Sums

sql = Statements(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """The column `estimation` of a reference."""

    calibration: Calibration | None
    error_curve: ErrorCurve | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The column `quality` of a window."""

    estimate: Estimate | None
    slices: list[Slice]
    groups: list[Slice]


class MonitorRows:
    """Monitors and their references."""

    def insert(self, tx: Transaction, project: str, monitor: Monitor) -> bool:
        """Adds a monitor; False when its name is taken."""
        kinds = None if monitor.kinds is None else _json(monitor.kinds)
        return bool(
            tx.execute(
                sql.insert_monitor,
                {"project": project, **_columns(monitor), "kinds": kinds, "group_column": monitor.group},
            )
        )

    def find(self, reader: Reader, project: str, name: str) -> Monitor | None:
        """The monitor of this name, or None."""
        row = reader.find(sql.find_monitor, {"project": project, "name": name})
        return None if row is None else _monitor(row)

    def of_endpoint(self, reader: Reader, project: str, endpoint: str) -> list[Monitor]:
        """The monitors of an endpoint, by name."""
        rows = reader.all(sql.monitors_of_endpoint, {"project": project, "endpoint": endpoint})
        return [_monitor(row) for row in rows]

    def judged(self, tx: Transaction, project: str, monitor: Monitor, until: datetime) -> None:
        """Notes up to when windows are judged; an earlier moment changes nothing."""
        tx.execute(sql.monitor_judged, {"project": project, "id": monitor.id, "until": to_micros(until)})

    def all(self, reader: Reader, project: str) -> list[Monitor]:
        """Every monitor, by name."""
        return [_monitor(row) for row in reader.all(sql.list_monitors, {"project": project})]

    def put_reference(self, tx: Transaction, project: str, reference: MonitorReference) -> None:
        """Adds the reference of a model version, or takes the place of the one that it has."""
        values = {
            "project": project,
            **_columns(reference),
            "profile": _json(reference.profile),
            "baseline": None if reference.baseline is None else _json(reference.baseline),
            "impact": _json(reference.impact),
            "estimation": _json(Estimation(calibration=reference.calibration, error_curve=reference.error_curve)),
        }
        tx.execute(sql.put_reference, values)

    def references(self, reader: Reader, project: str, monitor: str) -> list[MonitorReference]:
        """The references of a monitor, oldest first."""
        return [_reference(row) for row in reader.all(sql.list_references, {"project": project, "monitor": monitor})]


class WindowRows:
    """Windows, by the time at which they start and the model version."""

    def put(self, tx: Transaction, project: str, window: MonitorWindow) -> None:
        """Writes a window; judging again writes it again."""
        values = {
            "project": project,
            "monitor": window.monitor,
            "model_version": window.model_version,
            "starts_at": to_micros(window.starts_at),
            "ends_at": to_micros(window.ends_at),
            "row_count": window.rows,
            "labelled": window.performance.labelled,
            "errors": window.performance.errors,
            "completeness": window.performance.completeness,
            "score": window.drift.score,
            "drift": _json(window.drift),
            "performance": _json(window.performance),
            "counts": _json(window.counts),
            "products": _json(window.products),
            "quality": _json(Quality(estimate=window.estimate, slices=window.slices, groups=window.groups)),
            "reference_at": to_micros(window.reference_at),
            "evaluated_at": to_micros(window.evaluated_at),
        }
        tx.execute(sql.put_window, values)

    def all(self, reader: Reader, project: str, monitor: str) -> list[MonitorWindow]:
        """Every window of a monitor, oldest first."""
        return [_window(row) for row in reader.all(sql.list_windows, {"project": project, "monitor": monitor})]

    def newest(self, reader: Reader, project: str, monitor: str, limit: int) -> list[MonitorWindow]:
        """The newest windows of a monitor, newest first."""
        rows = reader.all(sql.newest_windows, {"project": project, "monitor": monitor, "limit": limit})
        return [_window(row) for row in rows]

    def sums_before(
        self, reader: Reader, project: str, reference: MonitorReference, model_version: str, starts_at: datetime
    ) -> Sums | None:
        """Where the sums of slow drift stood in the window before, beside this reference; None at the beginning."""
        values = {
            "project": project,
            "monitor": reference.monitor,
            "model_version": model_version,
            "starts_at": to_micros(starts_at),
        }
        row = reader.find(sql.window_before, values)
        if row is None or row[0] != to_micros(reference.recorded_at):
            return None
        return msgspec.json.decode(row[1], type=Drift).sums

    def cohorts(
        self, reader: Reader, project: str, monitor: str, model_version: str
    ) -> list[tuple[int, int, int, float]]:
        """Start (microseconds), labelled rows, errors and completeness of each window of a model version, in order."""
        values = {"project": project, "monitor": monitor, "model_version": model_version}
        return [(row[0], row[1], row[2], row[3]) for row in reader.all(sql.list_cohorts, values)]


class AlertRows:
    """Alerts, and what became of them."""

    def insert(self, tx: Transaction, project: str, alert: Alert) -> None:
        """Adds an alert that has just opened."""
        tx.execute(sql.insert_alert, {"project": project, **_columns(alert), "symptoms": _json(alert.symptoms)})

    def update(self, tx: Transaction, project: str, alert: Alert) -> None:
        """Writes what may change of an alert."""
        tx.execute(sql.update_alert, {"project": project, **_columns(alert), "symptoms": _json(alert.symptoms)})

    def find(self, reader: Reader, project: str, alert_id: str) -> Alert | None:
        """The alert, or None."""
        row = reader.find(sql.find_alert, {"project": project, "id": alert_id})
        return None if row is None else _alert(row)

    def unresolved(self, reader: Reader, project: str, monitor: str) -> list[Alert]:
        """The alerts of a monitor that are open or acknowledged, oldest first."""
        return [_alert(row) for row in reader.all(sql.unresolved_alerts, {"project": project, "monitor": monitor})]

    def all(self, reader: Reader, project: str) -> list[Alert]:
        """Every alert, newest first."""
        return [_alert(row) for row in reader.all(sql.list_alerts, {"project": project})]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _columns(record: Any) -> dict[str, Any]:
    """The fields of a record by name, times as microseconds."""
    values = {name: getattr(record, name) for name in record.__slots__}
    return {
        name: to_micros(value) if name.endswith("_at") and value is not None else value
        for name, value in values.items()
    }


def _monitor(row: Row) -> Monitor:
    (
        id,
        name,
        endpoint,
        window_s,
        anchor_at,
        budget,
        decision_threshold,
        loss_increase,
        kinds,
        task,
        group,
        until,
        at,
    ) = row
    return Monitor(
        id=id,
        name=name,
        endpoint=endpoint,
        window_s=window_s,
        anchor_at=from_micros(anchor_at),
        false_alarms_per_year=budget,
        decision_threshold=decision_threshold,
        loss_increase=loss_increase,
        kinds=None if kinds is None else msgspec.json.decode(kinds),
        recorded_at=from_micros(at),
        task=task,
        group=group,
        judged_until=None if until is None else from_micros(until),
    )


def _reference(row: Row) -> MonitorReference:
    monitor, model_version, training, validation, profile, baseline, impact, estimation, recorded_at = row
    estimated = msgspec.json.decode(estimation, type=Estimation)
    return MonitorReference(
        monitor=monitor,
        model_version=model_version,
        training=training,
        validation=validation,
        profile=msgspec.json.decode(profile, type=Profile),
        baseline=None if baseline is None else msgspec.json.decode(baseline, type=Baseline),
        impact=msgspec.json.decode(impact, type=Impact),
        calibration=estimated.calibration,
        error_curve=estimated.error_curve,
        recorded_at=from_micros(recorded_at),
    )


def _window(row: Row) -> MonitorWindow:
    monitor, model_version, starts_at, ends_at, rows, drift, performance, counts, products, quality, *times = row
    (reference_at, evaluated), judged = times, msgspec.json.decode(quality, type=Quality)
    return MonitorWindow(
        monitor=monitor,
        model_version=model_version,
        starts_at=from_micros(starts_at),
        ends_at=from_micros(ends_at),
        rows=rows,
        drift=msgspec.json.decode(drift, type=Drift),
        performance=msgspec.json.decode(performance, type=Performance),
        counts=msgspec.json.decode(counts),
        products=msgspec.json.decode(products),
        estimate=judged.estimate,
        slices=judged.slices,
        groups=judged.groups,
        reference_at=from_micros(reference_at),
        evaluated_at=from_micros(evaluated),
    )


_ALERT = (
    "id", "monitor", "endpoint", "model_version", "kind", "state", "symptoms", "peak", "threshold", "first_window_at",
    "last_window_at", "judged_window_at", "windows", "quiet", "event", "recorded_at", "acknowledged_by",
    "acknowledged_at", "resolved_at", "resolution",
)  # fmt: skip


def _alert(row: Row) -> Alert:
    values = dict(zip(_ALERT, row, strict=True))
    values["symptoms"] = msgspec.json.decode(values["symptoms"], type=tuple[Symptom, ...])
    for name in _ALERT:
        if name.endswith("_at") and values[name] is not None:
            values[name] = from_micros(values[name])
    return Alert(**values)
