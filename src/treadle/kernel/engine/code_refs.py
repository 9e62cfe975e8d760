"""How a worker finds a step: by module and name, or in a bundle of its source; never by importing `__main__`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from treadle.kernel.engine.errors import InvalidStep
from treadle.kernel.engine.records import CodeRef
from treadle.kernel.engine.steps import Step

Bundler = Callable[[Step[..., Any]], CodeRef]
"""Stores the source of a step of `__main__` and answers where it is."""


class CodeRefs:
    """References to the steps of one session. `bundler` is asked for steps of scripts and notebooks."""

    def __init__(self, bundler: Bundler | None = None) -> None:
        self._bundler = bundler
        self._refs: dict[Step[..., Any], CodeRef] = {}
        self._steps: dict[CodeRef, Step[..., Any]] = {}

    def of(self, step: Step[..., Any]) -> CodeRef:
        """Where a worker finds the step. Raises InvalidStep for one that only this process can reach."""
        found = self._refs.get(step)
        if found is None:
            found = self._refs[step] = self._make(step)
            self._steps[found] = step
        return found

    def local(self, step: Step[..., Any]) -> CodeRef:
        """A reference that this process understands, whether or not another would."""
        code = CodeRef(step.function.__module__, step.function.__qualname__)
        self._steps.setdefault(code, step)
        return code

    def step(self, code: CodeRef) -> Step[..., Any]:
        """The step of a reference; those that `of` gave are answered from memory."""
        return self._steps.get(code) or find_step(code)

    def _make(self, step: Step[..., Any]) -> CodeRef:
        function = step.function
        module, qualname = function.__module__, function.__qualname__
        if "<locals>" in qualname or "<lambda>" in qualname:
            raise InvalidStep(
                f"The step {step.name!r} cannot be sent to a worker.",
                why=f"It is defined inside of a function ({qualname}), so another process cannot find it.",
                fix="Define it at the top of a module, or run the pipeline in this process.",
            )
        if module != "__main__":
            return CodeRef(module, qualname)
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        if spec is not None and spec.name and spec.name != "__main__" and not spec.name.endswith(".__main__"):
            return CodeRef(spec.name, qualname)
        if self._bundler is None:
            raise InvalidStep(f"The step {step.name!r} belongs to a script, and no bundler was given to the engine.")
        return self._bundler(step)


def find_step(code: CodeRef) -> Step[..., Any]:
    """The step that a module holds under a name. Raises InvalidStep when there is none."""
    found: Any = import_module(code.module)
    for part in code.qualname.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Step):
        raise InvalidStep(
            f"{code.module}.{code.qualname} is no step.",
            why="The module holds something else under this name, perhaps because another decorator hides the step.",
            fix="Put @td.step on top of the other decorators.",
        )
    return found
