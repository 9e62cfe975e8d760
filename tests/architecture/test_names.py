"""Names say what is inside: files, packages, errors, the public face."""

from __future__ import annotations

import ast
from collections import Counter

import treadle
from tests.architecture.tree import PACKAGE, ROOT, modules

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def test_every_file_is_named_for_what_is_in_it():
    assert [module.name for module in modules() if module.name.split(".")[-1] in EMPTY_NAMES] == []


def test_every_module_opens_with_a_paragraph():
    assert [module.name for module in modules() if len((ast.get_docstring(module.tree) or "").split()) < 5] == []


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}

    assert [str(folder.relative_to(ROOT)) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_the_face_of_a_system_defines_nothing():
    """It names what others may import; a module-level `__getattr__` may hand it out late."""
    defining = [
        module.name
        for module in modules()
        if module.path.name == "__init__.py" and module.path.parent.parent.name == "systems"
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if node.name not in ("__getattr__", "__dir__")
    ]

    assert defining == []


def test_every_error_has_a_code_of_its_own():
    codes = Counter(code for _, code in error_codes())

    assert [code for code, count in codes.items() if count > 1] == []


def test_every_error_says_its_code():
    bases = {name for name, _ in error_codes()} | {"TreadleError"}
    silent = [
        f"{module.name}.{node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base).split(".")[-1] for base in node.bases} & bases
        if code_of(node) is None
    ]

    assert silent == []


def test_the_public_names_are_there_and_agree_with_all():
    assert sorted({*treadle._HOME_OF, *treadle._MODULES, "__version__"}) == sorted(treadle.__all__)
    for name in treadle.__all__:
        assert getattr(treadle, name) is not None
    assert dir(treadle) == sorted(treadle.__all__)


def test_a_type_checker_sees_the_public_names():
    face = next(module for module in modules() if module.name == "treadle")
    block = next(node for node in face.tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }

    assert {*treadle._HOME_OF, *treadle._MODULES} <= seen


def error_codes() -> list[tuple[str, str]]:
    """(class, code) of every class in the tree that has the form of an error of ours."""
    return [
        (node.name, code)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.bases and (code := code_of(node)) and "." in code
    ]


def code_of(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            else:
                pairs = [(target, value)]
            for name, given in pairs:
                if isinstance(name, ast.Name) and name.id == "code" and isinstance(given, ast.Constant):
                    return str(given.value)
    return None
