"""The source of loaded code, and only of loaded code.

A file may have been edited since it was imported. What counts is what runs: a piece of source is compiled again and used
only where that gives the very instructions that are loaded. Elsewhere the caller falls back to the loaded instructions
themselves, which are always true but a little touchier about formatting.

Parsing and compiling whole files would cost 8 µs a line, most of it for code that no step reaches. So first only the
top-level statement around a function is cut out, by indentation; comparing the instructions shows whether the cut was
right, and where it was not, the whole file is read.
"""

# os.path and open: on the way to the first step
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import ast
import linecache
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType
from typing import Any

from treadle.kernel.engine.code import shapes
from treadle.kernel.engine.code.shapes import Function

_FUTURES = 0x1FE0000
"""The flags of code objects that stand for `from __future__` imports; they are those of `compile`."""
_GOES_ON = re.compile(r"(?:[\s#)\]}]|$|(?:else|elif|except|finally|case)\b)")
"""A line that begins no new top-level statement."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some source as syntax and as code objects by qualified name."""

    tree: ast.Module
    code: CodeType
    codes: dict[str, list[CodeType]]

    def node_of(self, code: CodeType) -> Function | ast.Lambda | None:
        """The syntax that compiles to this code, if any does. Equal but for lines and columns is equal."""
        candidates = self.codes.get(code.co_qualname, [])
        twin = next((each for each in candidates if each == code), None)
        if twin is None and candidates:
            shape = shapes.of_code(code)
            twin = next((each for each in candidates if shapes.of_code(each) == shape), None)
        return None if twin is None else _locate(self.tree, twin)


@dataclass
class Source:
    """One file's text, of which pieces are parsed as they are asked for."""

    filename: str
    text: str
    is_cell: bool
    _nodes: dict[int, tuple[CodeType, Function | ast.Lambda | None]] = field(default_factory=dict)
    _pieces: dict[tuple[int, int], Piece | None] = field(default_factory=dict)

    def node_of(self, code: CodeType) -> Function | ast.Lambda | None:
        """The syntax of loaded code, or None where this text does not compile to it."""
        known = self._nodes.get(id(code))
        if known is None:
            known = self._nodes[id(code)] = (code, self._find(code))
        return known[1]

    def _find(self, code: CodeType) -> Function | ast.Lambda | None:
        piece = self._around(code.co_firstlineno, code.co_flags & _FUTURES)
        node = piece.node_of(code) if piece is not None else None
        if node is None and self.whole is not None:
            node = self.whole.node_of(code)
        return node

    def classes(self, qualname: str) -> list[ast.ClassDef]:
        """The class statements with this qualified name; several where it is defined on conditions."""
        top = qualname.partition(".")[0]
        places = [number for number, line in enumerate(self._lines, 1) if _defines(line, top)]
        piece = None
        if len(places) == 1 and not self._lines[places[0] - 1][:1].isspace():
            piece = self._around(places[0], 0)
        piece = piece or self.whole
        found: list[ast.AST] = [piece.tree] if piece is not None else []
        for name in qualname.split("."):
            if name != "<locals>":
                found = [each for scope in found for each in _definitions(scope) if each.name == name]
        return [each for each in found if isinstance(each, ast.ClassDef)]

    @cached_property
    def whole(self) -> Piece | None:
        """All of it, or None where it does not compile."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.is_cell else 0  # cells may await
        return _compiled(self.text, self.filename, flags)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _imports(self) -> str:
        """One line that imports the names which the file imports at its top: CPython 3.11 and later compile a call of
        `np.mean` in another way when `np` is an import."""
        statements, is_open = list[str](), False
        for line in self._lines:
            if is_open or line.startswith(("import ", "from ")):
                statements.append(line)
                is_open = ("(" in line or is_open) and ")" not in line
        try:
            found = ast.parse("\n".join(statements)).body
        except SyntaxError:
            return ""
        names = {
            each.asname or each.name.partition(".")[0]
            for statement in found
            if isinstance(statement, ast.Import | ast.ImportFrom)
            for each in statement.names
        }
        names.discard("*")
        return f"import {', '.join(sorted(names))}" if names else ""

    def _around(self, line: int, flags: int) -> Piece | None:
        """The top-level statement that seems to hold a line, on its own lines; decorators above it included."""
        lines = self._lines
        if not 0 < line <= len(lines):
            return None
        first = line - 1
        while first > 0 and (_GOES_ON.match(lines[first]) or lines[first - 1].startswith("@")):
            first -= 1
        last, is_begun = first, False
        while last < len(lines) and (not is_begun or _GOES_ON.match(lines[last])):
            is_begun |= not (_GOES_ON.match(lines[last]) or lines[last].startswith("@"))
            last += 1
        if (first, flags) not in self._pieces:
            text = (self._imports + "\n" * first if first else "") + "\n".join(lines[first:last]) + "\n"
            self._pieces[first, flags] = _compiled(text, self.filename, flags)
        return self._pieces[first, flags]


_loaded: dict[str, tuple[object, Source | None]] = {}


def source_of(filename: str, module_globals: dict[str, Any]) -> Source | None:
    """The present source of a file, a notebook's cell or a module in an archive; None when there is none. Remembered
    until the file changes."""
    stamp, lines = _stamp(filename, module_globals)
    if stamp is None:
        return None
    known = _loaded.get(filename)
    if known is not None and known[0] == stamp:
        return known[1]
    source = _read(filename, lines)
    _loaded[filename] = (stamp, source)
    return source


def _stamp(filename: str, module_globals: dict[str, Any]) -> tuple[object, str | None]:
    try:
        facts = os.stat(filename)
    except OSError:
        lines = "".join(linecache.getlines(filename, module_globals))
        return (lines or None), lines
    return (facts.st_mtime_ns, facts.st_size, facts.st_ino), None


def _read(filename: str, text: str | None) -> Source | None:
    if text is not None:
        return Source(filename, text, is_cell=True)
    try:
        with open(filename, "rb") as file:
            text = _decoded(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
    return Source(filename, text.replace("\r\n", "\n").replace("\r", "\n"), is_cell=False)


def _compiled(text: str, filename: str, flags: int) -> Piece | None:
    try:
        tree = ast.parse(text, filename)
        code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None
    codes: dict[str, list[CodeType]] = {}
    for each in _nested(code):
        codes.setdefault(each.co_qualname, []).append(each)
    return Piece(tree, code, codes)


def _defines(line: str, name: str) -> bool:
    """Whether a line may begin the definition of a class of this name."""
    return name in line and re.match(rf"\s*class\s+{re.escape(name)}\b", line) is not None


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
