"""Which names outside itself a piece of code uses, read from its instructions: what the compiler decided, not a guess.

A chain is a name and the attributes taken from it at once: `prep.rules.clean(x)` gives ("prep", "rules", "clean"), so
that a module on the way can be followed to just what is used of it.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

Chain = tuple[str, ...]

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_OUTER = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@dataclass(frozen=True, slots=True)
class Import:
    """An import inside a function: `from ..a import b` is level 2, module `a`, names ("b",)."""

    module: str
    names: tuple[str, ...]
    level: int


@dataclass(frozen=True, slots=True)
class Names:
    """What code uses: chains that begin with a global name, chains that begin with a closure's variable, imports."""

    globals: tuple[Chain, ...]
    free: tuple[Chain, ...]
    imports: tuple[Import, ...]


def used_by(code: CodeType) -> Names:
    """The names that code uses, with the functions and comprehensions nested in it. Sorted, each once.

    Cost: about 3 µs an instruction.
    """
    globals_: set[Chain] = set()
    free: set[Chain] = set()
    imports: set[Import] = set()
    for each in _with_nested(code):
        _read(each, frozenset(code.co_freevars), globals_, free, imports)
    return Names(
        tuple(sorted(globals_)),
        tuple(sorted(free)),
        tuple(sorted(imports, key=lambda each: (each.module, each.level, each.names))),
    )


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _with_nested(each)


def _read(code: CodeType, outer: frozenset[str], globals_: set[Chain], free: set[Chain], imports: set[Import]) -> None:
    chain: list[str] = []
    found: set[Chain] = set()
    module, level, names = "", 0, list[str]()
    constants: list[object] = []
    for each in dis.get_instructions(code):
        operation = each.opname
        if chain and operation in _ATTRIBUTE:
            chain.append(each.argval)
            continue
        if chain:
            found.add(tuple(chain))
            chain = []
        if operation in _GLOBAL:
            chain, found = [each.argval], globals_
        elif operation in _OUTER and each.argval in outer:
            chain, found = [each.argval], free
        elif operation == "IMPORT_FROM":
            names.append(each.argval)
        elif operation == "IMPORT_NAME":
            _add_import(imports, module, names, level)
            module, names = each.argval, list[str]()
            level = constants[-2] if len(constants) > 1 and isinstance(constants[-2], int) else 0
            wanted = constants[-1] if constants else None
            if wanted == ("*",):
                names = ["*"]
        elif operation in ("LOAD_CONST", "LOAD_SMALL_INT"):
            constants.append(each.argval)
    if chain:
        found.add(tuple(chain))
    _add_import(imports, module, names, level)


def _add_import(imports: set[Import], module: str, names: list[str], level: int) -> None:
    if module or names:
        imports.add(Import(module, tuple(names), level))


def in_syntax(node: ast.AST, *, annotation: bool = False) -> list[Chain]:
    """The chains in a piece of syntax: for decorators, bases and bodies of classes, and signatures, which leave no
    instructions in what they shape. In an `annotation`, text is read as the expression that it spells."""
    found: set[Chain] = set()
    _collect(node, found, annotation)
    return sorted(found)


def _collect(node: ast.AST, found: set[Chain], annotation: bool) -> None:
    chain = chain_of(node)
    if chain is not None:
        found.add(chain)
        return
    if annotation and isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            _collect(ast.parse(node.value, mode="eval").body, found, annotation)
        except (SyntaxError, ValueError):
            return
    for each in ast.iter_child_nodes(node):
        _collect(each, found, annotation)


def chain_of(node: ast.AST) -> Chain | None:
    """The chain that an expression spells (`a.b.c`), or None for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None
