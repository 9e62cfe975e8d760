"""The meaning of a piece of source as text: equal for two pieces that differ in cosmetics only.

Comments, formatting and quoting are gone because the syntax tree has none. Also left out: docstrings and other
statements that are a bare constant, `pass`, annotations of local variables, and annotations in the signatures of plain
functions, which Python evaluates but nothing reads. Kept: annotations of fields in a class body (dataclasses and their
kin are made from them) and in the signatures of decorated functions (a decorator may read them: validation, dispatch,
Treadle's own steps, whose annotations choose the type of a frame).
"""

from __future__ import annotations

import ast
import dis
from types import CodeType

Function = ast.FunctionDef | ast.AsyncFunctionDef

_PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod", "property", "setter", "getter", "deleter", "override"})
_SKIPPED = frozenset({"ctx", "type_comment", "kind", "type_params", "type_ignores"})
_HAS_DOCSTRING = 0x4000000  # a flag of code objects from 3.14 on
_CONSTANT = frozenset(dis.hasconst)
_EMPTY: frozenset[ast.AST] = frozenset()


def of_function(node: Function, dropped: frozenset[ast.AST] = _EMPTY, *, is_step: bool = False) -> str:
    """The shape of a whole function, without the decorators in `dropped` and without the values of its defaults, which
    are read from the loaded function. The annotations of a step's signature always count."""
    out: list[str] = []
    _Shaper(out, dropped).function(node, annotated=is_step or _is_annotated(node), defaults=False)
    return " ".join(out)


def of_lambda(node: ast.Lambda) -> str:
    """The shape of a lambda, without the values of its defaults."""
    out = ["Lambda"]
    shaper = _Shaper(out, _EMPTY)
    shaper.arguments(node.args, annotated=False, defaults=False)
    shaper.any(node.body)
    return " ".join(out)


def of_class(node: ast.ClassDef, *, methods: bool) -> str:
    """The shape of a class; with `methods` False its functions are left to be looked at one by one."""
    out: list[str] = []
    _Shaper(out, _EMPTY, methods=methods).class_(node)
    return " ".join(out)


def of_module(tree: ast.Module) -> str:
    """The shape of a whole module."""
    out: list[str] = []
    _Shaper(out, _EMPTY).body(tree.body, in_class=True)
    return " ".join(out)


def of_expression(node: ast.expr) -> str:
    """The shape of one expression."""
    out: list[str] = []
    _Shaper(out, _EMPTY).any(node)
    return " ".join(out)


def of_code(code: CodeType) -> str:
    """The shape of a code object, for where there is no source to trust: its instructions, names and constants without
    lines and docstring. Formatting may change it in rare cases (an `if` broken over lines), a change of meaning must.
    """
    facts = (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~_HAS_DOCSTRING,
        code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
        getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip
    out = [f"Code {facts!r}"]
    for each in dis.get_instructions(code):
        if each.opcode in _CONSTANT:
            out.append(
                f"{each.opname} {of_code(each.argval) if isinstance(each.argval, CodeType) else _constant(each.argval)}"
            )
        else:
            out.append(f"{each.opname} {each.arg}")
    return " ".join(out)


def _constant(value: object) -> str:
    if isinstance(value, tuple):
        return f"({' '.join(_constant(each) for each in value)})"
    if isinstance(value, frozenset):
        return f"{{{' '.join(sorted(_constant(each) for each in value))}}}"
    return f"{type(value).__name__}:{value!r}"


def _is_annotated(node: Function) -> bool:
    return any(_last_name(each) not in _PLAIN_DECORATORS for each in node.decorator_list)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Shaper:
    """Writes nodes as words. Recursive, as the tree is; about 1 µs a node."""

    def __init__(self, out: list[str], dropped: frozenset[ast.AST], *, methods: bool = True) -> None:
        self.out, self.dropped, self.methods = out, dropped, methods

    def any(self, node: object, *, in_class: bool = False) -> None:
        out = self.out
        if isinstance(node, ast.Constant):
            out.append(_constant(node.value))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.function(node, annotated=_is_annotated(node), defaults=True)
        elif isinstance(node, ast.ClassDef):
            self.class_(node)
        elif isinstance(node, ast.AnnAssign):
            self.annotated_assignment(node, in_class=in_class)
        elif isinstance(node, ast.AST):
            self.plain(node, in_class=in_class)
        elif isinstance(node, list):
            out.append("[")
            for each in node:
                self.any(each)
            out.append("]")
        else:
            out.append(repr(node))

    def plain(self, node: ast.AST, *, in_class: bool) -> None:
        self.out.append(node.__class__.__name__)
        for name in node._fields:
            if name in _SKIPPED:
                continue
            value = getattr(node, name, None)
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                self.body(value, in_class=in_class)
            else:
                self.any(value)
        self.out.append(".")

    def body(self, statements: list[ast.stmt], *, in_class: bool) -> None:
        self.out.append("[")
        for each in statements:
            if isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
                continue
            self.any(each, in_class=in_class)
        self.out.append("]")

    def function(self, node: Function, *, annotated: bool, defaults: bool) -> None:
        self.out += (node.__class__.__name__, node.name)
        for each in node.decorator_list:
            if each not in self.dropped:
                self.out.append("@")
                self.any(each)
        self.arguments(node.args, annotated=annotated, defaults=defaults)
        if annotated and node.returns is not None:
            self.out.append("->")
            self.any(node.returns)
        self.body(node.body, in_class=False)

    def arguments(self, node: ast.arguments, *, annotated: bool, defaults: bool) -> None:
        for kind, names in (("/", node.posonlyargs), ("a", node.args), ("*", [node.vararg] if node.vararg else [])):
            self.out.append(kind)
            self.names(names, annotated=annotated)
        self.out.append("k")
        self.names(node.kwonlyargs, annotated=annotated)
        self.out.append("**")
        self.names([node.kwarg] if node.kwarg else [], annotated=annotated)
        if defaults:
            self.any(node.defaults)
            self.any(node.kw_defaults)

    def names(self, arguments: list[ast.arg], *, annotated: bool) -> None:
        for each in arguments:
            self.out.append(each.arg)
            if annotated and each.annotation is not None:
                self.out.append(":")
                self.any(each.annotation)

    def class_(self, node: ast.ClassDef) -> None:
        self.out += ("ClassDef", node.name)
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.any(each)
        kept = node.body
        if not self.methods:
            kept = [each for each in kept if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        self.body(kept, in_class=True)

    def annotated_assignment(self, node: ast.AnnAssign, *, in_class: bool) -> None:
        if in_class:
            self.out.append("AnnAssign")
            self.any(node.target)
            self.any(node.annotation)
            self.any(node.value)
        elif node.value is None:
            self.out.append("Declare")
            self.any(node.target)
        else:
            self.out += ("Assign", "[")
            self.any(node.target)
            self.out.append("]")
            self.any(node.value)
            self.out.append(".")
