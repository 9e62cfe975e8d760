"""`@pipeline`: an ordinary function whose steps are journalled. Calling it runs it, here and now.

The body may branch, loop and catch as it likes; it is run again on resume. What it returns is the run's value.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeVar, overload

from treadle.kernel.engine.ambient import current_engine
from treadle.kernel.engine.context import current_driver, current_step
from treadle.kernel.engine.cron import parse
from treadle.kernel.engine.errors import InvalidStep
from treadle.kernel.engine.policies import WINDOW, Limits, Window
from treadle.kernel.engine.steps import resolved_annotations

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A kind of event that starts a pipeline. `subject` narrows it: the name of a dataset, of a monitor; `*` is any.

    counts: the figure of the event that is summed since the pipeline last fired; it fires at `at_least`, or at `share` of
    what there was before. Without it every event counts.
    """

    kind: str
    subject: str = "*"
    counts: str | None = None
    at_least: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cron expression in a time zone."""

    cron: str
    timezone: str = "UTC"


def on_event(kind: str, subject: str = "*") -> Trigger:
    """Starts the pipeline at every event of this kind; `subject` narrows it to one thing, such as `dataset/flights`."""
    return Trigger(kind=kind, subject=subject)


def on_alert(endpoint: str) -> Trigger:
    """Starts the pipeline when an alert about that endpoint opens; `td.now()` is the end of the window it is about."""
    return Trigger(kind="alert.opened", subject=f"endpoint/{endpoint}")


def on_landing(dataset: str) -> Trigger:
    """Starts the pipeline when a batch of that dataset has landed."""
    return Trigger(kind="dataset.landed", subject=f"dataset/{dataset}")


def on_labels(dataset: str, *, rows: int | None = None, share: float | None = None) -> Trigger:
    """Starts the pipeline when `rows` new rows have landed since it last fired, or `share` of those there were before.

    dataset: where labels land. Looked at with each landing. Raises InvalidStep unless exactly one of the two is given.
    """
    if (rows is None) == (share is None) or (rows or share or 0) <= 0:
        raise InvalidStep(
            "New labels start a pipeline at a number of rows or at a share.",
            fix=f"Write on_labels({dataset!r}, rows=500) or on_labels({dataset!r}, share=0.1).",
        )
    subject = f"dataset/{dataset}"
    return Trigger(kind="dataset.landed", subject=subject, counts="rows_kept", at_least=rows, share=share)


def on_contract(dataset: str) -> Trigger:
    """Starts the pipeline when another contract of that dataset was published."""
    return Trigger(kind="contract.published", subject=f"contract/{dataset}")


@dataclass(slots=True)
class PipelineRun(Generic[V]):
    """A run of a pipeline: its id, how it stands, and what the body returned."""

    id: str
    path: str
    status: str = "running"
    _value: Any = None
    error: BaseException | None = None
    changes: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def value(self) -> V:
        """What the body returned; handles in it are loaded with `td.load`. Raises the error that ended the run."""
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.path}: {self.status}>"


class Pipeline(Generic[P, R]):
    """A pipeline; made by `pipeline`."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        schedules: tuple[Schedule, ...] = (),
        triggers: tuple[Trigger, ...] = (),
        executor: str | None = None,
        limits: Limits | None = None,
        window: Window | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidStep(
                f"The pipeline {function.__name__!r} is asynchronous or a generator.",
                fix="Write it as a plain function; .submit and .map run steps side by side.",
            )
        self.function = function
        self.name = name or function.__name__
        if any(letter in self.name for letter in "/[]#"):
            raise InvalidStep(f"{self.name!r} cannot be a pipeline's name.", why="A path is made of it: no / [ ] or #.")
        self.schedules, self.triggers, self.executor = schedules, triggers, executor
        self.limits, self.window = limits, window
        if window is not None and WINDOW not in inspect.signature(function).parameters:
            raise InvalidStep(
                f"The pipeline {self.name!r} has a data window and no parameter to be told of it.",
                fix="Take it: def retrain(window: td.DataWindow = td.DataWindow()): …",
            )
        if len({(each.kind, each.subject) for each in triggers}) < len(triggers):
            raise InvalidStep(f"The pipeline {self.name!r} has two triggers of one kind about the same thing.")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PipelineRun[R]:
        """Runs the pipeline. Inside another pipeline it becomes a run of its own below that one.

        Raises what ended the run; the run is recorded and can be resumed.
        """
        if current_step.get() is not None:
            raise InvalidStep(
                f"The pipeline {self.name!r} was called inside a step.",
                why="A step is one unit: what runs inside it is not journalled.",
                fix="Call the pipeline from a pipeline, or call its steps as plain functions.",
            )
        arguments = self.bind(args, kwargs)
        driver: Any = current_driver.get()
        if driver is not None:
            return driver.run_child(self, arguments)  # type: ignore[no-any-return]
        run: PipelineRun[R] = current_engine().run(self, arguments)
        if run.error is not None:
            raise run.error
        return run

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The body's signature."""
        return inspect.signature(self.function)

    @functools.cached_property
    def types(self) -> dict[str, Any]:
        """The body's annotations as types."""
        return resolved_annotations(self.function)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, defaults included. Raises TypeError as Python does."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def call_with(self, arguments: Mapping[str, Any]) -> R:
        """Runs the body with arguments as `bind` gave them."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.extend(arguments.get(name, ()))
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                named.update(arguments.get(name, {}))
            elif parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                named[name] = arguments[name]
            else:
                positional.append(arguments[name])
        return self.function(*positional, **named)

    def __repr__(self) -> str:
        return f"<pipeline {self.name} of {self.function.__module__}>"


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(
    *,
    name: str | None = None,
    schedule: str | Schedule | Iterable[str | Schedule] = (),
    triggers: Iterable[Trigger] = (),
    executor: str | None = None,
    limits: Limits | None = None,
    window: Window | None = None,
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    schedule: str | Schedule | Iterable[str | Schedule] = (),
    triggers: Iterable[Trigger] = (),
    executor: str | None = None,
    limits: Limits | None = None,
    window: Window | None = None,
) -> Any:
    """Makes a function a pipeline.

    schedule: a cron expression, or `Schedule(cron=…, timezone=…)`, or several; live once published.
    triggers: what else starts it: `on_alert`, `on_landing`, `on_labels`, `on_contract`, `on_event`; live once published.
    limits: a cool-down and a budget for what starts by itself. window: which data such a run is told to use, in its
    parameter `window`.
    executor: where steps run by default: "inprocess", "pool", "ray", or any that the engine was given.
    Raises InvalidSchedule for an expression that cannot be read.
    """
    given = (schedule,) if isinstance(schedule, (str, Schedule)) else tuple(schedule)
    schedules = tuple(Schedule(cron=each) if isinstance(each, str) else each for each in given)
    for each in schedules:
        parse(each.cron, each.timezone)

    def decorate(decorated: Callable[P, R]) -> Pipeline[P, R]:
        return Pipeline(
            decorated,
            name=name,
            schedules=schedules,
            triggers=tuple(triggers),
            executor=executor,
            limits=limits,
            window=window,
        )

    return decorate if function is None else decorate(function)
