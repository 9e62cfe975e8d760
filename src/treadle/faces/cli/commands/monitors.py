"""`treadle monitors`: what is watched, and how the last windows were."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from treadle.faces.cli.rendering import Paper, duration
from treadle.faces.cli.session import Session

Tasks = Literal["classification", "regression"]


def list_all(session: Session) -> None:
    """Every monitor."""
    monitors = session.client.monitors.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.name, one.endpoint, duration(one.window_s), one.false_alarms_per_year, one.recorded_at)
            for one in monitors
        ]
        paper.table(("monitor", "endpoint", "window", "false alarms a year", "since"), rows, empty="No monitors yet.")

    session.out.show(monitors, draw)


def show(
    session: Session,
    name: Annotated[str, "the monitor"],
    *,
    windows: Annotated[int, "how many of its newest windows"] = 20,
) -> None:
    """A monitor: what it compares with, its unresolved alerts, its newest windows."""
    view = session.client.monitors.show(name=name, windows=windows)

    def draw(paper: Paper) -> None:
        monitor = view.monitor
        paper.sheet({"monitor": monitor.name, "endpoint": monitor.endpoint, "window": duration(monitor.window_s)})
        paper.title("References")
        paper.table(
            ("model", "rows", "threshold", "training", "since"),
            [(one.model_version, one.rows, one.threshold, one.training, one.recorded_at) for one in view.references],
        )
        paper.title("Unresolved alerts")
        paper.table(
            ("alert", "state", "kind", "since"),
            [(one.id, one.state, one.kind, one.first_window_at) for one in view.alerts],
            empty="None.",
        )
        paper.title("Windows")
        paper.table(
            ("from", "model", "rows", "drift", "", "furthest", "expected error", "error", "known"),
            [_line(one) for one in view.windows],
            empty="None judged yet; `treadle monitors check` judges what is due.",
        )

    session.out.show(view, draw)


def create(
    session: Session,
    name: Annotated[str, "the monitor"],
    *,
    endpoint: Annotated[str, "the endpoint that it watches"],
    model_version: Annotated[str, "the version that serves there"],
    training: Annotated[str, "the digest of the frame that the version was trained on"],
    validation: Annotated[str | None, "the digest of its scored validation rows: score, truth, event_at"] = None,
    window_s: Annotated[int, "the length of a window in seconds"] = 86_400,
    false_alarms_per_year: Annotated[float, "the one budget of the monitor"] = 4.0,
    task: Annotated[Tasks, "what the scores are"] = "classification",
    group: Annotated[str | None, "a column whose values are compared for fairness"] = None,
) -> None:
    """Watches an endpoint; one that was registered with a reference is watched by itself."""
    found = session.client.monitors.create(
        name=name,
        endpoint=endpoint,
        model_version=model_version,
        training=training,
        validation=validation,
        window_s=window_s,
        false_alarms_per_year=false_alarms_per_year,
        task=task,
        group=group,
    )
    session.out.show(found, lambda paper: paper.line(f"{found.name} watches {found.endpoint}."))


def check(
    session: Session,
    name: Annotated[str, "the monitor"],
    *,
    most: Annotated[int, "at most so many windows"] = 60,
) -> None:
    """Judges every window that has ended, and anew those whose truth has come since."""
    found = session.client.monitors.check(name=name, most=most)

    def draw(paper: Paper) -> None:
        rows = [_line(window) for one in found for window in one.windows]
        columns = ("from", "model", "rows", "drift", "", "furthest", "expected error", "error", "known")
        paper.table(columns, rows, empty="Nothing is due.")
        for one in found:
            for alert in one.opened:
                paper.line(f"{alert.id} opened: {', '.join(symptom.column for symptom in alert.symptoms)}")

    session.out.show(found, draw)


def _line(window: Any) -> tuple[object, ...]:
    drift, performance, estimate = window.drift, window.performance, window.estimate
    level = drift.score / drift.threshold if drift.is_judged else 0.0
    expected = None if estimate is None else estimate.error_rate if estimate.mean_error is None else estimate.mean_error
    error = performance.error_rate if performance.mean_error is None else performance.mean_error
    return (
        window.starts_at,
        window.model_version,
        window.rows,
        f"{level:.2f}" if drift.is_judged else "not judged",
        _bar(level),
        drift.columns[0].column,
        None if expected is None else round(expected, 4),
        None if error is None else round(error, 4),
        f"{performance.completeness:.0%}",
    )


def _bar(level: float) -> str:
    """The drift as a share of its threshold, which is the bar's middle: `####|` and beyond."""
    filled = min(10, max(0, round(level * 5)))
    return f"{'#' * min(filled, 5):<5}|{'#' * max(filled - 5, 0):<5}"
