"""Whether a firing is let through: cool-down and budget, looked at in the transaction that claims it.

The policy's row is written first, so that of two schedulers one waits for the other's claim and then counts it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from treadle.ground.clock import from_micros, to_micros
from treadle.kernel.engine.journal import as_text, of_text, sql
from treadle.kernel.engine.pipelines import Pipeline
from treadle.kernel.engine.policies import WINDOW, Limits, Window
from treadle.kernel.engine.values import to_json
from treadle.kernel.events import Event, EventLog
from treadle.kernel.store import Reader, Transaction

SCHEDULER = "scheduler"


def put_policies(tx: Transaction, project: str, pipelines: list[Pipeline[..., Any]]) -> None:
    """Makes the limits and windows of pipelines those that hold from now on."""
    for pipeline in pipelines:
        limits, window = pipeline.limits, pipeline.window
        values = {
            "project": project,
            "pipeline": pipeline.name,
            "limits": None if limits is None else as_text({n: getattr(limits, n) for n in Limits.__slots__}),
            "window": None if window is None else as_text({n: getattr(window, n) for n in Window.__slots__}),
        }
        tx.put(sql.put_start_policy, values)


def policy_of(reader: Reader, project: str, pipeline: str) -> tuple[Limits | None, Window | None]:
    """The limits and the window of a published pipeline."""
    row = reader.find(sql.find_start_policy, {"project": project, "pipeline": pipeline})
    limits, window = (None, None) if row is None else (of_text(row[0]), of_text(row[1]))
    return (
        None if limits is None else Limits(**{**limits, "also": tuple(limits["also"])}),
        None if window is None else Window(**window),
    )


def claim(
    tx: Transaction,
    events: EventLog,
    values: dict[str, Any],
    *,
    at: datetime,
    cause: Event | None = None,
    actor: str = SCHEDULER,
    reason: str = "",
    ignore_limits: bool = False,
) -> bool:
    """Claims a firing, or records that it was refused; leaves the event that says why. Whether it is to be started.

    values: of `claim_firing`, with `moment_at`: the time that the run is for; its window is put into `params`. False as
    well where somebody else has claimed it.
    """
    project, pipeline = values["project"], values["pipeline"]
    tx.execute(sql.lock_start_policy, {"project": project, "pipeline": pipeline})
    limits, window = policy_of(tx, project, pipeline)
    moment = from_micros(values["moment_at"])
    refused = None if ignore_limits else refusal(tx, project, pipeline, limits, moment, at)
    if refused is not None:
        values |= {"state": "refused", "reason": refused}
    elif window is not None:
        chosen = window.at(moment, cause)
        values["params"] = as_text({WINDOW: to_json(chosen), **of_text(values["params"])})
    if tx.execute(sql.claim_firing, values) == 0:
        return False
    if refused is None:
        tx.execute(sql.restart_counts, {"project": project, "pipeline": pipeline})
    events.append(
        tx,
        project=project,
        kind="trigger.fired" if refused is None else "trigger.refused",
        subject=f"pipeline/{pipeline}",
        actor=actor,
        body={
            "firing": values["id"],
            "source": values["source"],
            "caused_by": values["caused_by"],
            "moment": moment.isoformat(),
            "reason": refused or reason or told(values["source"], cause),
        },
        event_at=moment,
    )
    return refused is None


def refusal(
    reader: Reader, project: str, pipeline: str, limits: Limits | None, moment: datetime, at: datetime
) -> str | None:
    """Why a pipeline may not start by itself for this moment, or None where it may. Starts and writes nothing."""
    if limits is None:
        return None
    names = (pipeline, *limits.also)
    of = [{"project": project, "pipeline": name} for name in names]
    if limits.cool_down_s > 0:
        lasts = [reader.find(sql.last_start, values) for values in of]
        last = max((row[0] for row in lasts if row is not None and row[0] is not None), default=None)
        if last is not None and to_micros(moment) - last < limits.cool_down_s * 1_000_000:
            ago = (to_micros(moment) - last) / 1_000_000
            return (
                f"It last ran for {from_micros(last):%Y-%m-%d %H:%M}, {span(ago)} before; "
                f"its cool-down is {span(limits.cool_down_s)}."
            )
    since = to_micros(moment) - int(limits.period_s * 1_000_000)
    if limits.max_runs is not None:
        runs = sum(_whole(reader.find(sql.starts_since, {**values, "since": since})) for values in of)
        if runs >= limits.max_runs:
            return f"It ran {runs} times within {span(limits.period_s)}; its budget is {limits.max_runs}."
    if limits.max_compute_s is not None:
        spent = {"since": since, "at": to_micros(at)}
        used = sum(_whole(reader.find(sql.compute_since, {**values, **spent})) for values in of) / 1_000_000
        if used >= limits.max_compute_s:
            return f"It used {span(used)} of compute within {span(limits.period_s)}; its budget is {span(limits.max_compute_s)}."
    return None


def told(source: str, cause: Event | None) -> str:
    """Why something starts, in words."""
    if cause is not None:
        return f"{cause.kind} of {cause.subject}"
    return f"due by {source.partition(':')[2]}" if source.startswith("schedule:") else source


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: `4 days`, `36 hours`, `90 s`."""
    for name, unit in (("days", 86_400.0), ("hours", 3_600.0)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:,.10g} s"


def _whole(row: Any) -> int:
    return 0 if row is None or row[0] is None else int(row[0])
