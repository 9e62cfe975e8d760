"""The source of loaded code, and only of loaded code.

A file may have been edited since it was imported. What counts is what runs: the file is compiled again and a piece of
its source is used only where it compiles to the very instructions that are loaded. Elsewhere the caller falls back to
the loaded instructions themselves, which are always true but a little touchier about formatting.
Cost: parse and compile, about 8 µs a line, once per content of a file.
"""

# os.path and open: on the way to the first step
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from treadle.kernel.engine.code import shapes
from treadle.kernel.engine.code.shapes import Function


@dataclass(slots=True)
class Source:
    """One file's text, its syntax tree, and its code objects by qualified name."""

    filename: str
    text: str
    tree: ast.Module
    code: CodeType
    codes: dict[str, list[CodeType]]
    nodes: dict[int, tuple[CodeType, Function | ast.Lambda | None]] = field(default_factory=dict)

    def node_of(self, code: CodeType) -> Function | ast.Lambda | None:
        """The syntax of loaded code, or None where this text does not compile to it."""
        known = self.nodes.get(id(code))
        if known is None:
            known = self.nodes[id(code)] = (code, self._find(code))
        return known[1]

    def _find(self, code: CodeType) -> Function | ast.Lambda | None:
        candidates = self.codes.get(code.co_qualname, [])
        twin = next((each for each in candidates if each == code), None)
        if twin is None:
            shape = shapes.of_code(code)
            twin = next((each for each in candidates if shapes.of_code(each) == shape), None)
        return None if twin is None else _locate(self.tree, twin)

    def classes(self, qualname: str) -> list[ast.ClassDef]:
        """The class statements with this qualified name; several where it is defined on conditions."""
        found: list[ast.AST] = [self.tree]
        for name in qualname.split("."):
            if name != "<locals>":
                found = [each for scope in found for each in _definitions(scope) if each.name == name]
        return [each for each in found if isinstance(each, ast.ClassDef)]


_loaded: dict[str, tuple[object, Source | None]] = {}


def source_of(filename: str, module_globals: dict[str, Any]) -> Source | None:
    """The present source of a file, a notebook's cell or a module in an archive; None when there is none or it does
    not compile. Remembered until the file changes."""
    stamp, lines = _stamp(filename, module_globals)
    if stamp is None:
        return None
    known = _loaded.get(filename)
    if known is not None and known[0] == stamp:
        return known[1]
    source = _parsed(filename, lines)
    _loaded[filename] = (stamp, source)
    return source


def _stamp(filename: str, module_globals: dict[str, Any]) -> tuple[object, str | None]:
    try:
        facts = os.stat(filename)
    except OSError:
        lines = "".join(linecache.getlines(filename, module_globals))
        return (lines or None), lines
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino), None


def _parsed(filename: str, text: str | None) -> Source | None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if text is not None else 0  # cells may await
    try:
        if text is None:
            with open(filename, "rb") as file:
                text = _decoded(file.read())
        tree = ast.parse(text, filename)
        compiled = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    codes: dict[str, list[CodeType]] = {}
    for code in _nested(compiled):
        codes.setdefault(code.co_qualname, []).append(code)
    return Source(filename, text, tree, compiled, codes)


def _decoded(content: bytes) -> str:
    """Source bytes as text, by byte order mark or coding line, as Python reads them."""
    if b"coding" not in content[:400]:
        return content.decode("utf-8-sig")
    from importlib.util import decode_source

    return decode_source(content)


def _nested(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _nested(each)


def _locate(tree: ast.Module, code: CodeType) -> Function | ast.Lambda | None:
    """The definition from which a code object of this very tree was compiled."""
    line = code.co_firstlineno
    scopes: list[ast.AST] = [tree]
    while scopes:
        scope = scopes.pop()
        for each in _statements(scope):
            if not _first_line(each) <= line <= (each.end_lineno or each.lineno):
                continue
            if isinstance(each, Function) and each.name == code.co_name and _first_line(each) == line:
                return each
            if code.co_name == "<lambda>":
                found = _lambda_in(each, code)
                if found is not None:
                    return found
            scopes.append(each)
    return None


def _lambda_in(statement: ast.stmt, code: CodeType) -> ast.Lambda | None:
    """The lambda of a statement that holds the code's instructions: the innermost, by line and column."""
    spans = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column is not None
    ]
    spans = [span for span in spans if span[0] != span[1]]
    if not spans:
        return None
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    around = [
        each
        for each in ast.walk(statement)
        if isinstance(each, ast.Lambda)
        and (each.body.lineno, each.body.col_offset) <= first
        and last <= (each.body.end_lineno or 0, each.body.end_col_offset or 0)
    ]
    return around[-1] if around else None


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno


def _statements(scope: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly inside a scope or a compound statement."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for each in getattr(scope, name, None) or ():
            if isinstance(each, ast.stmt):
                yield each
            elif isinstance(each, ast.ExceptHandler | ast.match_case):
                yield from _statements(each)


def _definitions(scope: ast.AST) -> Iterator[ast.ClassDef | Function]:
    """The classes and functions defined in a scope, also below `if`, `try` and `with`."""
    for each in _statements(scope):
        if isinstance(each, ast.ClassDef | Function):
            yield each
        else:
            yield from _definitions(each)
