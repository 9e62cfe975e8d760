"""`@step`: a function that outside of pipelines is itself, and inside one is journalled, cached and resumed.

The decorator keeps the function's own type (ParamSpec), so editors and type checkers see what was written. All that a
call needs and that does not change between calls is worked out once per step and kept here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from treadle.ground.errors import did_you_mean
from treadle.kernel.engine.context import current_driver, current_step
from treadle.kernel.engine.errors import InvalidStep
from treadle.kernel.engine.handles import Handle, load
from treadle.kernel.engine.records import CacheScope, ConcurrencyLimit, Keep, Resources, StepOptions

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Each(Generic[T]):
    """The items over which `.map` goes; see `each`."""

    __slots__ = ("items",)

    def __init__(self, items: list[T]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def each(items: Iterable[T]) -> T:
    """Marks an argument of `.map` as varying: one run for each item. Two of them go side by side, like `zip`.

    A handle of a list is loaded first, so the width of a map may come from an earlier step.
    """
    return cast("T", Each(list(load(items))))


class Step(Generic[P, R]):
    """A step; made by `step`."""

    def __init__(self, function: Callable[P, R], options: StepOptions, name: str | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.options = options
        self.name = name or function.__name__
        self._check()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        driver = current_driver.get()
        if driver is None or current_step.get() is not None:
            return self.function(*args, **kwargs)
        return cast("R", driver.call(self, args, kwargs))

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Starts the step and goes on at once; the handle waits when it is asked. Outside a pipeline: a plain call."""
        driver = current_driver.get()
        if driver is None or current_step.get() is not None:
            return self.function(*args, **kwargs)
        return cast("R", driver.submit(self, args, kwargs))

    def map(self, *args: Any, **kwargs: Any) -> list[R]:
        """One run for each item of the arguments marked with `each`, in parallel as far as resources go.

        Raises InvalidStep without any `each`, or when two of them differ in length.
        """
        driver = current_driver.get()
        if driver is None or current_step.get() is not None:
            return [self.function(*a, **k) for a, k, _ in spread(self, args, kwargs)]
        return cast("list[R]", driver.map(self, args, kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(cast("Callable[..., Any]", self.__call__), instance)

    def __repr__(self) -> str:
        return f"<step {self.name} of {self.function.__module__}>"

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature."""
        return inspect.signature(self.function)

    @functools.cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The function's parameters by name, in order."""
        return dict(self.signature.parameters)

    @functools.cached_property
    def plain_names(self) -> tuple[str, ...] | None:
        """The names of the parameters when all of them can be given by name and by place; None when some cannot."""
        if all(each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for each in self.parameters.values()):
            return tuple(self.parameters)
        return None

    @functools.cached_property
    def seed_name(self) -> str | None:
        """`seed` or `rng` when the function declares it."""
        return next((name for name in ("seed", "rng") if name in self.parameters), None)

    @functools.cached_property
    def types(self) -> dict[str, Any]:
        """The annotations as types, `return` included; one that cannot be resolved here is left out."""
        return resolved_annotations(self.function)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by parameter name, defaults included except for an injected seed. Raises TypeError as Python does."""
        names = self.plain_names
        if names is not None and len(args) == len(names) and not kwargs:
            return dict(zip(names, args, strict=True))
        bound = self.signature.bind_partial(*args, **kwargs) if self.seed_name else self.signature.bind(*args, **kwargs)
        given = bound.arguments
        found: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name in given:
                found[name] = given[name]
            elif name == self.seed_name:
                continue
            elif parameter.default is not inspect.Parameter.empty:
                found[name] = parameter.default
            elif parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                self.signature.bind(*args, **kwargs)  # raises Python's own words for what is missing
        return found

    def call_with(self, arguments: dict[str, Any]) -> Any:
        """Calls the function with arguments by parameter name, as `bind` gave them."""
        if self.plain_names is not None:
            return self.function(**arguments)  # type: ignore[call-arg]
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name not in arguments:
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                positional.extend(arguments[name])
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                named.update(arguments[name])
            elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY or (
                parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
                and len(positional) == list(self.parameters).index(name)
            ):
                positional.append(arguments[name])
            else:
                named[name] = arguments[name]
        return self.function(*positional, **named)

    def _check(self) -> None:
        options = self.options
        if not callable(self.function) or isinstance(self.function, type):
            raise InvalidStep(f"{self.name!r} is no function.", fix="Put @td.step above a function.")
        if inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function):
            raise InvalidStep(
                f"The step {self.name!r} is a generator.",
                why="A step has one result, which is stored when the body ends.",
                fix="Return a list, or map a step over the items.",
            )
        if options.retries < 0 or options.backoff_s < 0 or (options.timeout_s is not None and options.timeout_s <= 0):
            raise InvalidStep(f"The step {self.name!r} has a negative number of retries or seconds.")
        if options.keep not in ("value", "digest"):
            raise InvalidStep(f"keep={options.keep!r} is unknown.", fix=did_you_mean(options.keep, ["value", "digest"]))
        if options.cache_scope not in ("project", "platform"):
            raise InvalidStep(
                f"cache_scope={options.cache_scope!r} is unknown.",
                fix=did_you_mean(options.cache_scope, ["project", "platform"]),
            )


def spread(
    step: Step[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]]:
    """The calls of one map: positional arguments, named arguments, and the items that vary, by parameter name."""
    names = list(step.parameters)
    varying: dict[str | int, list[Any]] = {
        place: list(value) for place, value in enumerate(args) if type(value) is Each
    }
    varying |= {name: list(value) for name, value in kwargs.items() if type(value) is Each}
    if not varying:
        raise InvalidStep(
            f"Nothing to map {step.name!r} over.",
            fix=f"Mark what varies: {step.name}.map(…, {names[0] if names else 'x'}=td.each([…])).",
        )
    lengths = {len(items) for items in varying.values()}
    if len(lengths) > 1:
        raise InvalidStep(
            f"The maps of {step.name!r} differ in length: {sorted(lengths)}.",
            why="Several `each` go side by side, like zip.",
            fix="For every combination, map over itertools.product.",
        )
    calls = []
    for number in range(lengths.pop()):
        a = tuple(varying[place][number] if place in varying else value for place, value in enumerate(args))
        k = {name: varying[name][number] if name in varying else value for name, value in kwargs.items()}
        items = {names[key] if isinstance(key, int) else key: values[number] for key, values in varying.items()}
        calls.append((a, k, items))
    return calls


def resolved_annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations as types; those that name what is imported only for type checkers are left out."""
    found: dict[str, Any] = {}
    module = sys.modules.get(function.__module__)
    space = getattr(function, "__globals__", None) or (vars(module) if module else {})
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if not isinstance(annotation, str):
            found[name] = annotation
            continue
        try:
            found[name] = eval(annotation, space)  # noqa: S307 -- the user's own annotation in the user's own module
        except Exception:  # noqa: S112 -- any failure means the same: no type to go by
            continue
    return found


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    retries: int = 0,
    backoff_s: float = 1.0,
    timeout_s: float | None = None,
    resources: Resources | None = None,
    cache: bool = True,
    version: str | None = None,
    depends_on: Iterable[object] = (),
    keep: Keep = "value",
    cache_scope: CacheScope = "project",
    concurrency: ConcurrencyLimit | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    backoff_s: float = 1.0,
    timeout_s: float | None = None,
    resources: Resources | None = None,
    cache: bool = True,
    version: str | None = None,
    depends_on: Iterable[object] = (),
    keep: Keep = "value",
    cache_scope: CacheScope = "project",
    concurrency: ConcurrencyLimit | None = None,
) -> Any:
    """Makes a function a step of pipelines.

    retries, backoff_s: how often a failed attempt is repeated, and the first pause, which doubles, with jitter.
    timeout_s: after this long the attempt is ended by force; the step runs in a process of its own for that.
    resources: what an attempt occupies; executors start no more than fits.
    cache: False runs it in every run, whatever is known.
    version: a text of the author's that is part of the key. depends_on: functions, modules, `file` and `env`.
    keep: "digest" stores no bytes and recomputes the value when it is asked for.
    cache_scope: "platform" makes the machine type part of the key. concurrency: a limit shared over processes.
    A parameter named `seed` or `rng` that a call leaves out is given one that is derived from the run's seed and the
    step's path, also where it has a default: the default is for calls outside of pipelines.
    """
    options = StepOptions(
        retries=retries,
        backoff_s=backoff_s,
        timeout_s=timeout_s,
        resources=resources or Resources(),
        cache=cache,
        version=version,
        depends_on=tuple(depends_on),
        keep=keep,
        cache_scope=cache_scope,
        concurrency=concurrency,
    )
    if function is not None:
        return Step(function, options, name)
    return lambda decorated: Step(decorated, options, name)


__all__ = ["Each", "Handle", "Step", "each", "resolved_annotations", "spread", "step"]
