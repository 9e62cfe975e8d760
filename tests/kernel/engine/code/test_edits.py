"""Keys change exactly when they should: over programs and edits that are generated, not chosen.

A program is a few modules of functions and constants that use each other. One place in it is edited, in a way that
changes what it computes or in one that cannot. Which functions reach that place is worked out from the program's plan,
and exactly their digests may change.
"""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.kernel.engine.code import fingerprint

MODULES = ("alpha", "beta", "gamma")
_numbers = count()


@dataclass(frozen=True)
class Function:
    """One function of a generated program: where it is, what it uses, and how it is spelled."""

    name: str
    module: int
    calls: tuple[int, ...]
    constants: tuple[int, ...]
    form: str
    number: int = 1
    comment: str = ""
    docstring: str = ""
    is_broken_over_lines: bool = False
    is_annotated: bool = False

    def source(self, program: Program) -> str:
        terms = [program.spelled(self.module, each) for each in self.calls]
        terms = [f"{each}(x)" for each in terms] + [
            program.constant_spelled(self.module, each) for each in self.constants
        ]
        expression = " + ".join(["x", str(self.number), *terms])
        if self.is_broken_over_lines:
            expression = "(\n            " + "\n            + ".join(["x", str(self.number), *terms]) + "\n        )"
        doc = f'        """{self.docstring}"""\n' if self.docstring else ""
        comment = f"        # {self.comment}\n" if self.comment else ""
        if self.form == "lambda":
            return f"{self.name} = lambda x: (\n{comment}        {expression})\n"
        signature = "(x: int) -> int" if self.is_annotated else "(x)"
        if self.form == "method":
            body = doc + comment + f"        return {expression}\n"
            signature = signature.replace("(x", "(self, x")
            return f"class C{self.name}:\n    def run{signature}:\n{body}\n\ndef {self.name}(x):\n    return C{self.name}().run(x)\n"
        if self.form == "decorated":
            return f"def d{self.name}(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n    return inner\n\n@d{self.name}\ndef {self.name}{signature.replace(': int', '').replace(' -> int', '')}:\n{doc}{comment}        return {expression}\n"
        return f"def {self.name}{signature}:\n{doc}{comment}        return {expression}\n"


@dataclass(frozen=True)
class Program:
    """Functions and constants over three modules; a function calls only later ones, so the modules import in a line."""

    functions: tuple[Function, ...]
    constants: tuple[tuple[int, object], ...]
    by_attribute: bool

    def spelled(self, module: int, callee: int) -> str:
        target = self.functions[callee]
        if target.module == module or not self.by_attribute:
            return target.name
        return f"{MODULES[target.module]}.{target.name}"

    def constant_spelled(self, module: int, constant: int) -> str:
        home, _ = self.constants[constant]
        name = f"K{constant}"
        return f"{MODULES[home]}.{name}" if self.by_attribute and home != module else name

    def sources(self, padding: int) -> dict[str, str]:
        found = {}
        for index, module in enumerate(MODULES):
            later = [each for each in range(len(MODULES)) if each > index]
            lines = ["import functools"]
            if self.by_attribute:
                lines += [f"import {MODULES[each]}" for each in later]
            else:
                lines += [f"from {MODULES[each]} import *" for each in later]
            lines += [""] * padding
            lines += [f"K{place} = {value!r}" for place, (home, value) in enumerate(self.constants) if home == index]
            lines += ["", *(each.source(self) for each in self.functions if each.module == index)]
            found[module] = "\n".join(lines)
        return found

    def reached(self, function: int) -> set[int]:
        seen, waiting = set[int](), [function]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += self.functions[each].calls
        return seen

    def uses_constant(self, function: int, constant: int) -> bool:
        return any(constant in self.functions[each].constants for each in self.reached(function))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    size = draw(st.integers(2, 7))
    homes = sorted(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    values = st.one_of(st.integers(0, 9), st.floats(0, 9), st.just(True))
    constants = tuple((draw(st.integers(0, 2)), draw(values)) for _ in range(draw(st.integers(1, 3))))
    functions = []
    for index, home in enumerate(homes):
        later = st.lists(st.integers(index + 1, size - 1), unique=True, max_size=2) if index + 1 < size else st.just([])
        usable = [place for place, (module, _) in enumerate(constants) if module >= home]
        used = draw(st.lists(st.sampled_from(usable), unique=True, max_size=2)) if usable else []
        form = draw(st.sampled_from(["plain", "plain", "method", "lambda", "decorated"]))
        functions.append(Function(f"f{index}", home, tuple(draw(later)), tuple(used), form))
    return Program(tuple(functions), constants, draw(st.booleans()))


@st.composite
def cosmetic_edits(draw: st.DrawFn, program: Program) -> Program:
    index = draw(st.integers(0, len(program.functions) - 1))
    edited = replace(
        program.functions[index],
        comment=draw(st.sampled_from(["", "why", "how"])),
        docstring=draw(st.sampled_from(["", "What it gives.", "Other words."])),
        is_broken_over_lines=draw(st.booleans()),
        is_annotated=draw(st.booleans()) and program.functions[index].form == "method",
    )
    functions = (*program.functions[:index], edited, *program.functions[index + 1 :])
    return replace(program, functions=functions)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("generated")
    kept = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    yield folder
    sys.path.remove(str(folder))
    sys.dont_write_bytecode = kept
    _forget()


def _forget() -> None:
    for name in MODULES:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    linecache.clearcache()


def _digests(folder: Path, program: Program, padding: int = 0) -> list[str]:
    for name, source in program.sources(padding).items():
        # a size of its own, since edits follow each other faster than the clock that stamps files
        (folder / f"{name}.py").write_text(source + "\n" * (next(_numbers) % 4093), encoding="utf-8")
    _forget()
    modules = [importlib.import_module(name) for name in MODULES]
    return [fingerprint(getattr(modules[each.module], each.name)).digest for each in program.functions]


_settings = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_settings
@given(data=st.data())
def test_cosmetic_edits_change_no_digest(folder: Path, data: st.DataObject) -> None:
    program = data.draw(programs())
    before = _digests(folder, program)

    after = _digests(folder, data.draw(cosmetic_edits(program)), padding=data.draw(st.integers(0, 3)))

    assert after == before


@_settings
@given(data=st.data())
def test_an_edited_body_changes_the_digests_of_just_what_reaches_it(folder: Path, data: st.DataObject) -> None:
    program = data.draw(programs())
    index = data.draw(st.integers(0, len(program.functions) - 1))
    functions = list(program.functions)
    functions[index] = replace(functions[index], number=2)

    before = _digests(folder, program)
    after = _digests(folder, replace(program, functions=tuple(functions)))

    changed = {place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    assert changed == {each for each in range(len(functions)) if index in program.reached(each)}


@_settings
@given(data=st.data())
def test_an_edited_constant_changes_the_digests_of_just_what_uses_it(folder: Path, data: st.DataObject) -> None:
    program = data.draw(programs())
    index = data.draw(st.integers(0, len(program.constants) - 1))
    constants = list(program.constants)
    constants[index] = (constants[index][0], "other")

    before = _digests(folder, program)
    after = _digests(folder, replace(program, constants=tuple(constants)))

    changed = {place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    assert changed == {each for each in range(len(program.functions)) if program.uses_constant(each, index)}
