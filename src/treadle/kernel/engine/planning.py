"""What a run would do, and why, without running a step's body.

The pipeline's body is walked with what is known already. As long as inputs are known, so are keys, and a key that the
project knows gives its result; behind the first step that must run, everything that depends on it is said to do so. A
body that needs the value of such a step (to branch on it, to map over it) ends the plan there, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.code import explain
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.dispatch import Call, handles_in
from treadle.kernel.engine.driver import RunDriver
from treadle.kernel.engine.handles import Handle, is_pending
from treadle.kernel.engine.journal import Attempt, find_done, of_text, sql
from treadle.kernel.engine.paths import item_text
from treadle.kernel.engine.pipelines import Pipeline, PipelineRun
from treadle.kernel.engine.ports import ArtifactStore
from treadle.kernel.engine.session import Session
from treadle.kernel.engine.steps import Step, spread
from treadle.kernel.store import Row, Transaction

Verdict = Literal["reuse", "run", "depends", "act", "wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step of a plan. `why` is in words; `reused_from` is the run whose result would be taken.

    needs: the paths of the steps and acts whose results it is given.
    """

    path: str
    verdict: Verdict
    why: tuple[str, ...] = ()
    reused_from: str | None = None
    key: str | None = None
    needs: tuple[str, ...] = ()

    def line(self) -> str:
        """`run    retrain/fit: helper `tidy` in prep.py changed`."""
        reason = "; ".join(self.why) or (f"known from {self.reused_from}" if self.reused_from else "")
        return f"{self.verdict:7} {self.path}" + (f": {reason}" if reason else "")


@dataclass(slots=True)
class Plan:
    """What a run of a pipeline would do, in the order of its body. `ends_at` says why the plan goes no further, if it does not."""

    pipeline: str
    steps: list[PlannedStep] = field(default_factory=list)
    ends_at: str | None = None

    def of(self, verdict: Verdict) -> list[PlannedStep]:
        """The steps with this verdict."""
        return [step for step in self.steps if step.verdict == verdict]

    def lines(self) -> list[str]:
        """The plan in words, a line for each step."""
        return [step.line() for step in self.steps] + ([f"… {self.ends_at}"] if self.ends_at else [])


class NeedsValue(BaseException):
    """Ends the walk where the body needs what is not known. Never leaves this module."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class DryArtifacts:
    """An artifact store that stores nothing: raw arguments get their digests and no more."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def put(self, value: Any, *, kind: str | None = None) -> Artifact:
        digest = self._artifacts.digest(value, kind=kind)
        return Artifact(digest=digest, kind=kind or "value", codec="none", size_bytes=0)

    def digest(self, value: Any, *, kind: str | None = None) -> str:
        return self._artifacts.digest(value, kind=kind)

    def load(self, artifact: Artifact, as_type: Any = None) -> Any:
        return self._artifacts.load(artifact, as_type)

    def stands(self, artifact: Artifact) -> bool:
        return self._artifacts.stands(artifact)


class PlanDriver(RunDriver):
    """Walks a body and runs nothing."""

    is_planning = True

    def __init__(self, session: Session, plan: Plan, path: str) -> None:
        super().__init__(session, "", path)
        self.plan = plan

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        return self._planned(self._new_call(step, step.bind(args, kwargs), ""))

    submit = call

    def map(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Handle]:
        calls = [self._new_call(step, step.bind(a, k), item_text(items)) for a, k, items in spread(step, args, kwargs)]
        return [self._planned(call) for call in calls]

    def run_child(self, pipeline: Any, arguments: Mapping[str, Any]) -> Any:
        path = self.places.next(pipeline.name)
        run = PipelineRun[Any](id="", path=path, status="planned")
        run._value = walked(PlanDriver(self.session, self.plan, path), pipeline, arguments)
        return run

    def act(
        self,
        name: str,
        effect: Callable[[Transaction], Any],
        *,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        durable: bool,
        preview: Callable[[], Any] | None = None,
        before: Callable[[], object] | None = None,
        makes: Callable[[Transaction, str], Mapping[str, str]] | None = None,
    ) -> Any:
        path = self.places.next(name)
        needs = tuple(sorted({handle._path for handle in handles_in(inputs.values())}))
        why = ("happens once, when the run gets there",)
        self.plan.steps.append(PlannedStep(path=path, verdict="act", why=why, needs=needs))
        return preview() if preview is not None else Handle(self, path)

    def wait_until(self, kind: str, subject: str, request: Any, *, due_at: int | None, position: int | None) -> Any:
        path = self.places.next(f"wait-{kind}")
        self.plan.steps.append(PlannedStep(path=path, verdict="wait", why=(f"for {kind} {subject}".rstrip(),)))
        raise NeedsValue(f"the run waits at {path}, and what follows depends on the answer")

    def unknown(self, name: str) -> Handle:
        """A handle for what an act will decide."""
        path = self.places.next(name)
        self.plan.steps.append(PlannedStep(path=path, verdict="act", why=("decided when its candidates are known",)))
        return Handle(self, path)

    def wait_for(self, handle: Handle) -> None:
        raise NeedsValue(f"from here the body needs the value of {handle._path}, which is not known before it has run")

    def _planned(self, call: Call) -> Handle:
        given = list(handles_in(call.arguments.values()))
        needs = tuple(sorted({handle._path for handle in given}))
        unknown = sorted({handle._path for handle in given if is_pending(handle)})
        if unknown:
            why = tuple(f"depends on {path}" for path in unknown[:3]) + (
                (f"and {len(unknown) - 3} more",) if unknown[3:] else ()
            )
            self.plan.steps.append(PlannedStep(path=call.path, verdict="depends", why=why, needs=needs))
            return call.handle
        self.prepare(call)
        attempt = call.attempt
        assert attempt is not None
        if is_pending(call.handle):
            why = why_not_known(self.session, call.step, attempt)
            self.plan.steps.append(PlannedStep(path=call.path, verdict="run", why=why, key=attempt.key, needs=needs))
        else:
            maker = call.handle._reused_from
            planned = PlannedStep(path=call.path, verdict="reuse", reused_from=maker, key=attempt.key, needs=needs)
            self.plan.steps.append(planned)
        return call.handle


def plan(session: Session, pipeline: Pipeline[..., Any], arguments: Mapping[str, Any]) -> Plan:
    """Walks the body. Whatever it raises ends the plan, and is told in it."""
    made = Plan(pipeline.name)
    try:
        walked(PlanDriver(session, made, pipeline.name), pipeline, arguments)
    except NeedsValue as end:
        made.ends_at = end.why
    except Exception as error:
        made.ends_at = f"here the body raises {type(error).__name__}: {error}"
    return made


def walked(driver: PlanDriver, pipeline: Pipeline[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What the body returns when a plan's driver answers its steps."""
    token = current_driver.set(driver)
    try:
        return pipeline.call_with(arguments)
    finally:
        current_driver.reset(token)


def why_not_known(session: Session, step: Step[..., Any], attempt: Attempt) -> tuple[str, ...]:
    """Why a step must run, in words: what differs from the newest time that it ran at this place, or at all."""
    if session.must_rerun(attempt.path):
        return ("it was asked to run again",)
    if not step.options.cache:
        return ("it runs every time (cache=False)",)
    journal = session.journal
    with journal.store.read() as reader:
        if find_done(reader, journal.project, attempt.key) is not None:
            return ("its result is no longer in the artifact store",)
        place = {"project": journal.project, "pipeline": attempt.path.partition("/")[0]}
        before = reader.find(sql.newest_at_path, {**place, "path": attempt.path})
        if before is None:
            before = reader.find(sql.newest_by_name, {**place, "name": attempt.name})
        if before is None:
            return ("it has not run before",)
        old_code, new_code = before[3], attempt.code
        row = reader.find(sql.find_code_parts, {"project": journal.project, "digest": old_code})
    reasons: list[str] = []
    if old_code != new_code:
        reasons += explain(of_text(row[0]) if row else {}, session.parts_of(new_code)) or ["its code changed"]
    return tuple(reasons + _differences(before, attempt)) or ("something in its key changed",)


def _differences(before: Row, attempt: Attempt) -> list[str]:
    """What differs in parameters, inputs, environment and seed."""
    _, _, parts_text, _, params_text, seed = before
    found: list[str] = []
    old, new = of_text(params_text) or {}, of_text(attempt.params) or {}
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append(f"{name} is new")
        elif name not in new:
            found.append(f"{name} is no longer a parameter")
        elif old[name] != new[name]:
            found.append(f"{name} was {_shown(old[name])}, is {_shown(new[name])}")
    old_parts, new_parts = of_text(parts_text) or {}, of_text(attempt.key_parts) or {}
    inputs, were = new_parts.get("inputs", {}), old_parts.get("inputs", {})
    found += [f"the input `{role}` changed" for role in sorted(inputs) if role in were and were[role] != inputs[role]]
    found += [f"the input `{role}` is new" for role in sorted(inputs.keys() - were.keys())]
    found += [f"the input `{role}` is gone" for role in sorted(were.keys() - inputs.keys())]
    if old_parts.get("environment") != new_parts.get("environment"):
        found.append("it runs on another platform")
    if seed != attempt.seed:
        found.append(f"its seed was {seed}, is {attempt.seed}")
    return found


def _shown(form: Any) -> str:
    if isinstance(form, dict) and len(form) == 1:
        tag, inner = next(iter(form.items()))
        form = inner if tag.startswith("$") and isinstance(inner, str | list) else form
    text = repr(form)
    return text if len(text) <= 60 else text[:57] + "…"


__all__ = ["DryArtifacts", "Plan", "PlannedStep", "TreadleError", "plan"]
