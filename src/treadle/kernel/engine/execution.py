"""Running the body of one step, here or in a worker, and saying in words how it went wrong if it did.

Whatever a body does, its caller gets a result or a failure: sys.exit is a failure, a child that the body forked never
comes back as if it were the step, and a result that cannot be stored says what it is and what to do.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine import errors
from treadle.kernel.engine.context import StepContext, enter, leave
from treadle.kernel.engine.errors import NotReproduced, StepFailed, UnserialisableResult
from treadle.kernel.engine.inputs import materialise_all
from treadle.kernel.engine.ports import ArtifactStore
from treadle.kernel.engine.records import CodeRef, Failure, Keep, RecomputedInput
from treadle.kernel.engine.secrets import redacted
from treadle.kernel.engine.steps import Step

FORKED_CHILD_EXIT = 70
"""Exit status of a forked child that returned from a step's body (EX_SOFTWARE of sysexits.h)."""
_OWN_FOLDER = os.path.dirname(__file__)  # noqa: PTH120 -- compared with the text of frames' file names
MAX_TRACEBACK_LETTERS = 20_000


def call_body(
    step: Step[..., Any],
    specs: Mapping[str, Any],
    context: StepContext,
    artifacts: ArtifactStore,
    resolve: Callable[[CodeRef], Step[..., Any]],
) -> Any:
    """What the body returns. Raises what it raises; SystemExit and forked children are turned into StepExited and an end."""
    token = enter(context)
    try:
        arguments = materialise_all(specs, lambda: step.types, artifacts.load, recompute_with(artifacts, resolve))
        if step.seed_name == "rng" and type(arguments.get("rng")) is int:
            arguments["rng"] = _generator(arguments["rng"], step.types.get("rng"))
        value = step.call_with(arguments)
        if inspect.iscoroutine(value):
            import asyncio

            value = asyncio.run(value)
    except SystemExit as error:
        raise errors.StepExited(
            f"The step {context.path!r} called sys.exit({'' if error.code is None else error.code!r}).",
            why="A step ends by returning or raising; sys.exit would end the whole run.",
            fix="Return instead, or raise an error that says what is wrong.",
            path=context.path,
        ) from error
    finally:
        leave(context, token)
        if os.getpid() != context.pid:
            _end_forked_child(context)
    return value


def recompute_with(
    artifacts: ArtifactStore, resolve: Callable[[CodeRef], Step[..., Any]]
) -> Callable[[RecomputedInput, Any], Any]:
    """A function that makes a value again which was kept by digest alone. It raises NotReproduced when it comes out different."""

    def recompute(spec: RecomputedInput, as_type: Any) -> Any:
        step = resolve(spec.code)
        arguments = materialise_all(spec.arguments, lambda: step.types, artifacts.load, recompute)
        value = step.function(**arguments) if step.plain_names else step.call_with(arguments)
        found = artifacts.digest(value)
        if found != spec.digest:
            raise NotReproduced(
                f"The step {spec.path!r} made something else when its value was asked for again.",
                why=f"It is kept by digest alone, as {spec.digest[:19]}…, and now gave {found[:19]}….",
                fix="Make the step deterministic, or keep its value: @td.step(keep='value').",
                path=spec.path,
            )
        return value

    return recompute


def keep_result(value: Any, path: str, keep: Keep, artifacts: ArtifactStore) -> Artifact:
    """The artifact of a result, its bytes stored. Raises UnserialisableResult."""
    try:
        if keep == "digest":
            kind = type(value)
            digest = artifacts.digest(value)
            meta = {"kept": "digest", "class": f"{kind.__module__}.{kind.__qualname__}"}
            return Artifact(digest=digest, kind="value", codec="none", size_bytes=0, meta=meta)
        return artifacts.put(value)
    except (TreadleError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, TreadleError) and (error.retryable or error.status >= 500):
            raise
        kind = type(value)
        fix = (
            getattr(error, "fix", "")
            or "Return data (frames, arrays, JSON values, bytes), a model, or a Path to a file."
        )
        raise UnserialisableResult(
            f"The step {path!r} returned something that cannot be kept: {kind.__module__}.{kind.__qualname__}.",
            why=str(error),
            fix=fix,
            path=path,
        ) from error


def failure_of(error: BaseException, path: str) -> Failure:
    """What the run row keeps of an error: its kind, its words, its traceback without the engine's own frames."""
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    text = redacted("".join(traceback.format_exception(kind, error, _users_frames(error))))
    if isinstance(error, TreadleError):
        what, why, fix = error.what, error.why, error.fix
    else:
        message = redacted(str(error))
        what = f"The step {path!r} raised {name}{': ' + message if message else '.'}"
        why, fix = "", ""
    retryable = not isinstance(error, (errors.HandleUsedAsValue, errors.UnserialisableResult, errors.StepExited))
    if len(text) > MAX_TRACEBACK_LETTERS:
        text = text[: MAX_TRACEBACK_LETTERS // 2] + "\n…\n" + text[-MAX_TRACEBACK_LETTERS // 2 :]
    return Failure(kind=name, what=what, why=why, fix=fix, traceback=text, retryable=retryable)


def error_of(failure: Failure, path: str, run: str) -> StepFailed:
    """The error that a body sees: the same whether the step failed just now, in a worker, or in the run that is resumed."""
    kinds: dict[str, type[StepFailed]] = {
        f"{each.__module__}.{each.__qualname__}": each
        for each in (errors.StepExited, errors.StepTimedOut, errors.WorkerDied, errors.NotReproduced)
    }
    kind = kinds.get(failure.kind, StepFailed)
    why = failure.why or _last_lines(failure.traceback)
    error = kind(failure.what, why=why, fix=failure.fix, path=path, run=run, kind=failure.kind)
    if failure.traceback:
        error.add_note(f"In the step {path}:\n{failure.traceback}")
    return error


def _last_lines(text: str) -> str:
    """The innermost frame of a traceback, as one line."""
    frames = [line.strip() for line in text.splitlines() if line.lstrip().startswith("File ")]
    return frames[-1] if frames else ""


def _users_frames(error: BaseException) -> Any:
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER) and frame.tb_next is not None:
        frame = frame.tb_next
    return frame


def _generator(seed: int, as_type: Any) -> Any:
    if getattr(as_type, "__module__", "") == "random":
        import random

        return random.Random(seed)  # noqa: S311 -- a reproducible stream is the point
    import numpy as np

    return np.random.default_rng(seed)


def _end_forked_child(context: StepContext) -> None:
    with contextlib.suppress(OSError, ValueError):
        text = (
            f"\ntreadle: a child that the step {context.path!r} forked came back from the step's body. It was ended here:\n"
            "two processes must not both go on as the run. End forked children with os._exit, or use multiprocessing.\n"
        )
        os.write(2, text.encode())
        sys.stdout.flush()
    os._exit(FORKED_CHILD_EXIT)
