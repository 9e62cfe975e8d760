"""Acts that the engine brings along: choosing among candidates, and waiting.

An act is journalled once in its run, with what it rested on. A choice is one, so that the reason for it is on record; a
wait is one whose answer comes from outside, and while it lasts no process is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import InvalidInput, did_you_mean
from treadle.kernel.engine.context import current_driver, current_step
from treadle.kernel.engine.handles import Handle, is_pending

T = TypeVar("T")
Mode = Literal["max", "min"]


class NotInPipeline(InvalidInput):
    code = "engine.not_in_pipeline"


class NoCandidate(InvalidInput):
    code = "engine.no_candidate"


def _driver(what: str) -> Any:
    driver = current_driver.get()
    if driver is None or current_step.get() is not None:
        raise NotInPipeline(
            f"{what} was called outside of a pipeline's body.",
            why="It is recorded with the run that it belongs to.",
            fix="Call it in a function with @td.pipeline, and not inside a step.",
        )
    return driver


def best_of(candidates: Sequence[T], metric: str, *, mode: Mode = "max") -> T:
    """The candidate with the best value of a metric; the choice and its reason are recorded in the run.

    candidates: handles of steps that logged the metric with `td.log_metric`. mode: whether "max" or "min" is best.
    Candidates whose step failed, or whose metric is NaN, cannot win and are recorded as such. Of equals the first wins.
    Raises NoCandidate when nobody can win.
    """
    driver = _driver("td.best_of")
    if mode not in ("max", "min"):
        raise InvalidInput(f"mode={mode!r} is unknown.", fix=did_you_mean(mode, ["max", "min"]))
    handles = cast("Sequence[Handle]", candidates)
    if not handles or not all(type(handle) is Handle for handle in handles):
        raise NoCandidate("td.best_of needs handles of steps.", fix="Give it what .map or .submit answered.")
    if driver.is_planning and any(is_pending(handle) for handle in handles):
        return cast("T", driver.unknown("best_of"))
    scores = [_score(driver, handle, metric) for handle in handles]
    able = [(score, -place) for place, score in enumerate(scores) if score is not None and score == score]
    if not able:
        seen = sorted({name for handle in handles if _is_well(driver, handle) for name in handle.metrics})
        raise NoCandidate(
            f"None of the {len(handles)} candidates has a value of the metric {metric!r}.",
            why=did_you_mean(metric, seen) or "No candidate has logged any metric.",
            fix="Log it in the step: td.log_metric(name, value).",
        )
    place = -(max(able) if mode == "max" else min(able, key=lambda pair: (pair[0], -pair[1])))[1]
    reason = {
        "metric": metric,
        "mode": mode,
        "chosen": handles[place].path,
        "run": handles[place].run,
        "candidates": [
            {"path": handle.path, "value": score if score == score else None}
            for handle, score in zip(handles, scores, strict=True)
        ],
    }
    inputs = {f"candidates[{n}]": handle for n, handle in enumerate(handles) if _is_well(driver, handle)}
    driver.act("best_of", lambda _: reason, inputs=inputs, params={"metric": metric, "mode": mode}, durable=False)
    return cast("T", handles[place])


def _is_well(driver: Any, handle: Handle) -> bool:
    if is_pending(handle):
        driver.wait_for(handle)
    return handle._error is None


def _score(driver: Any, handle: Handle, metric: str) -> float | None:
    if not _is_well(driver, handle):
        cast("Any", handle._error).__dict__["was_seen"] = True
        return None
    return handle.metrics.get(metric)


def now() -> datetime:
    """The moment that this run takes for the present: recorded at its start, the same on resume. UTC."""
    return from_micros(_driver("td.now").session.now_at)


def wait_for_approval(subject: str, *, request: Mapping[str, Any] | None = None) -> Any:
    """What whoever was asked has answered. Until then the run waits, and needs no process.

    subject: what is to be approved, as the list of open questions shows it. request: facts for the one who decides.
    """
    return _driver("td.wait_for_approval").wait_until(
        "approval", subject, dict(request or {}), due_at=None, position=None
    )


def wait_for_event(kind: str, subject: str = "*") -> Any:
    """The next event of a kind, as JSON; of one subject, if given. Events from before the wait do not count."""
    driver = _driver("td.wait_for_event")
    position = driver.session.journal.events.head(driver.session.journal.project)[0]
    return driver.wait_until("event", f"{kind} {subject}", None, due_at=None, position=position)


def wait_until(moment: datetime | timedelta) -> None:
    """Goes on at a moment, or after a while; until then the run waits, and needs no process."""
    driver = _driver("td.wait_until")
    text = moment.isoformat() if isinstance(moment, datetime) else f"after {moment.total_seconds():g} s"
    now = driver.session.journal.now()
    due_at = to_micros(moment) if isinstance(moment, datetime) else now + moment // timedelta(microseconds=1)
    driver.wait_until("time", text, None, due_at=due_at, position=None)
