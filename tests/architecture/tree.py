"""The source tree as data: every module of the package with its imports, read from its syntax and never run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "treadle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement: what it names, where it stands, and whether it waits inside a function."""

    module: str
    names: tuple[str, ...]
    line: int
    inside_function: bool
    for_types_only: bool

    def targets(self, known: set[str]) -> set[str]:
        """The known modules that it imports: `from a import b` is `a.b` where that is a module, else `a`."""
        below = {f"{self.module}.{name}" for name in self.names}
        found = below & known
        return found if found and found == below else (found | {self.module}) & known


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of the package."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def imports(self) -> list[Import]:
        found: list[Import] = []
        _collect(self, self.tree, found, inside_function=False, for_types_only=False)
        return found


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    return tuple(_read(path) for path in sorted(PACKAGE.rglob("*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name=name, path=path, tree=ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def _collect(
    module: Module, node: ast.AST, found: list[Import], *, inside_function: bool, for_types_only: bool
) -> None:
    for child in ast.iter_child_nodes(node):
        for name, named in _names(module, child):
            found.append(
                Import(
                    module=name,
                    names=named,
                    line=child.lineno,  # type: ignore[attr-defined]
                    inside_function=inside_function,
                    for_types_only=for_types_only,
                )
            )
        _collect(
            module,
            child,
            found,
            inside_function=inside_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda),
            for_types_only=for_types_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)),
        )


def _names(module: Module, node: ast.AST) -> list[tuple[str, tuple[str, ...]]]:
    if isinstance(node, ast.Import):
        return [(alias.name, ()) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        named = tuple(alias.name for alias in node.names)
        if node.level:
            base = module.name.split(".")
            keep = len(base) - node.level + (module.path.name == "__init__.py")
            return [(".".join([*base[:keep], *([node.module] if node.module else [])]), named)]
        return [(node.module or "", named)]
    return []
