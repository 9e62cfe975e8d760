"""`treadle monitors`: what is watched, and how the last windows were."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, duration
from treadle.faces.cli.session import Session


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
            ("from", "to", "model", "rows"),
            [(one.starts_at, one.ends_at, one.model_version, one.rows) for one in view.windows],
        )

    session.out.show(view, draw)
