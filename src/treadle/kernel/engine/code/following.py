"""Follows what a function reaches, object by object, and writes each thing it meets down as a named part.

The walk goes over loaded objects, not over text: a name is looked up where the function would look it up, so aliases,
star imports, decorators and replaced functions lead to what really runs. Each part's digest holds the shape of that
piece of code and what its names are bound to; together the parts say all that was reached. Where the walk cannot see
on (a computed `getattr`, an object without identity), the whole module counts: *when in doubt it runs again*.

The walk leaves `Guards`: everything it looked at, so that asking again is a comparison of identities (some µs).
"""

# os.path: code names its files as text, and this runs before steps
# ruff: noqa: PTH100, PTH119, PTH120

from __future__ import annotations

import ast
import builtins
import importlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

from treadle.ground import digests
from treadle.kernel.engine import declaring, readers
from treadle.kernel.engine.code import importing, names, origins, shapes
from treadle.kernel.engine.code.guards import MISSING, Guards
from treadle.kernel.engine.code.names import Chain
from treadle.kernel.engine.code.origins import Origin
from treadle.kernel.engine.code.sources import source_of
from treadle.kernel.engine.code.values import CODE, Encoder, Unhashable

_DYNAMIC: dict[int, str] = {
    id(each): each.__name__ for each in (eval, exec, globals, getattr, __import__, importlib.import_module)
}


@dataclass(frozen=True, slots=True)
class Place:
    """A module as the home of code: its globals, its file, and the file's name as people say it."""

    globals: dict[str, Any]
    filename: str
    label: str

    @classmethod
    def of(cls, module_globals: dict[str, Any], filename: str) -> Place:
        return cls(module_globals, filename, origins.label(filename, module_globals))

    @property
    def root(self) -> str:
        """The folder from which the project's modules are imported."""
        folder = os.path.abspath(self.filename)
        for _ in range(self.label.count("/") + 1):
            folder = os.path.dirname(folder)
        return "" if self.label == "notebook" else folder


@dataclass(slots=True)
class _Look:
    """What one code object's source says, found once."""

    node: shapes.Function | ast.Lambda | None
    names: names.Names
    shapes: dict[tuple[bool, frozenset[int]], str]


_looks: dict[int, tuple[CodeType, _Look]] = {}
_MAX_LOOKS = 20_000


def _look(code: CodeType, place: Place) -> _Look:
    known = _looks.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    source = source_of(place.filename, place.globals)
    look = _Look(source.node_of(code) if source is not None else None, names.used_by(code), {})
    if len(_looks) >= _MAX_LOOKS:
        _looks.clear()
    _looks[id(code)] = (code, look)
    return look


class Following:
    """One walk. `parts`, `guards` and `widened` are its findings once `finish` has returned."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.guards = Guards()
        self.widened: list[str] = []
        self.files: list[str] = []
        self.variables: list[str] = []
        self.named: dict[int, str] = {}
        self._taken: dict[str, int] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        self._modules: set[str] = set()
        self._root: FunctionType | None = None

    # --- beginning and end

    def start(self, thing: Any) -> None:
        """Begins with the function of a step: under its decorators lies the body, which the step is named after."""
        self._part(f"python {sys.version_info[0]}.{sys.version_info[1]}", sys.implementation.name)
        if _is_step(thing):
            thing = thing.__wrapped__
        inner = thing
        while hasattr(inner, "__wrapped__") and not isinstance(inner, type):
            inner = inner.__wrapped__
        if isinstance(inner, FunctionType):
            self._root = inner
            self.follow(inner, "step")
        if inner is not thing or not isinstance(inner, FunctionType):
            home = getattr(inner, "__module__", None)
            module = sys.modules.get(home) if isinstance(home, str) else None
            module_globals = vars(module) if module is not None else {}
            place = Place.of(module_globals, module_globals.get("__file__") or "<string>")
            bound = self._bind("step", thing, place, role="decorator", part="step")
            if not isinstance(thing, FunctionType):
                self._part("step", bound)

    def depend(self, things: Iterable[object]) -> None:
        """Adds what a step is declared to depend on: paths by the file's content, code as code, the rest by value."""
        for number, each in enumerate(things, 1):
            if isinstance(each, os.PathLike | declaring.DeclaredFile):
                self._file(os.fspath(each))
            else:
                self._bind(f"depends_on {number}", each, Place({}, "<string>", "depends_on"))

    def add_version(self, version: str) -> None:
        """Adds what the caller calls this version of the code."""
        self._part("version", version)

    def finish(self) -> None:
        """Goes on until nothing new is met."""
        while self._waiting:
            self._waiting.popleft()()
        self.guards.settle()

    # --- what code is followed to

    def follow(self, thing: Any, role: str = "helper") -> str:
        """Marks a piece of code as reached and answers the name that it is bound by."""
        known = self.named.get(id(thing))
        if known is None:
            self.guards.keep.append(thing)
            known = self._follow(thing, role)
            self.named[id(thing)] = known
        return known

    def _follow(self, thing: Any, role: str) -> str:
        if isinstance(thing, FunctionType):
            return self._follow_function(thing, role)
        if isinstance(thing, type):
            return self._follow_class(thing)
        if isinstance(thing, ModuleType):
            return self._follow_module(thing)
        if isinstance(thing, MethodType):
            return f"method {self.follow(thing.__func__)} {self._encoded(thing.__self__)}"
        if isinstance(thing, staticmethod | classmethod):
            return self.follow(thing.__func__, role)
        if isinstance(thing, property):
            return " ".join(self.follow(each) for each in (thing.fget, thing.fset, thing.fdel) if each is not None)
        if isinstance(thing, partial):
            return f"partial {self._encoded((thing.func, thing.args, thing.keywords))}"
        if isinstance(thing, BuiltinFunctionType):
            return self._follow_builtin(thing)
        return self._follow_wrapped(thing)

    def _follow_function(self, function: FunctionType, role: str) -> str:
        plain = readers.unwrapped(function)
        if plain is not function:
            return self.follow(plain, role)
        code = function.__code__
        origin = origins.of_file(code.co_filename)
        if not origin.is_project:
            self._distribution(origin)
            self._follow_inside(function)
            return f"{function.__globals__.get('__name__')}.{code.co_qualname}"
        place = Place.of(function.__globals__, code.co_filename)
        name = self._unique(f"{_readable(code.co_qualname)} ({place.label})", function)
        self._waiting.append(lambda: self._part(f"{role} {name}", self._function(function, place, role)))
        return name

    def _follow_inside(self, function: FunctionType) -> None:
        """Finds the project's code inside a foreign wrapper: what it wraps, and what its closure holds."""
        held = [getattr(function, "__wrapped__", None)]
        for cell in function.__closure__ or ():
            content = _content(cell)
            self.guards.cells.append((cell, content))
            held.append(content)
            if isinstance(content, list | tuple | set):
                held.extend(content)
            elif isinstance(content, dict):
                held.extend(content.values())
        for each in held:
            if isinstance(each, CODE) or _is_step(each):
                self.follow(each)

    def _follow_class(self, kind: type) -> str:
        origin = origins.of_class(kind)
        if not origin.is_project:
            self._distribution(origin)
            return f"{kind.__module__}.{kind.__qualname__}"
        place = _home_of(kind)
        name = self._unique(f"{_readable(kind.__qualname__)} ({place.label})", kind)
        self._waiting.append(lambda: self._part(f"class {name}", self._class(kind, place)))
        return name

    def _follow_module(self, module: ModuleType) -> str:
        origin = origins.of_module(module)
        if not origin.is_project:
            self._distribution(origin)
        elif _is_extension(module):
            self._extension(module)
        else:
            self._widen(Place.of(vars(module), getattr(module, "__file__", None) or "<string>"))
        return f"module {module.__name__}"

    def _follow_builtin(self, function: Any) -> str:
        owner = function.__self__
        module = owner if isinstance(owner, ModuleType) else sys.modules.get(function.__module__ or "")
        if module is not None:
            origin = origins.of_module(module)
            self._distribution(origin)
            if origin.is_project and _is_extension(module):
                self._extension(module)
        if owner is None or isinstance(owner, ModuleType):
            return f"{function.__module__}.{function.__qualname__}"
        return f"method {function.__qualname__} {self._encoded(owner)}"

    def _follow_wrapped(self, thing: Any) -> str:
        """Another step, or an object that wraps a function (a cache, a compiler): its class and what it wraps."""
        inner = getattr(thing, "__wrapped__", None)
        if not callable(inner):
            raise Unhashable(type(thing).__qualname__)
        if not _is_step(thing):
            return f"{self.follow(type(thing))} around {self.follow(inner)}"
        name = self.follow(inner, "step")
        options = getattr(thing, "options", None)
        version = getattr(options, "version", None)
        if version is not None:
            self._part(f"version of {name}", str(version))
        self.depend(getattr(options, "depends_on", ()) or ())
        return name

    # --- one piece of code as text

    def _function(self, function: FunctionType, place: Place, role: str) -> str:
        code = function.__code__
        look = _look(code, place)
        guards = self.guards
        guards.functions.append((function, code, function.__defaults__, function.__kwdefaults__))
        bound = [self._shape(look, code, place, role)]
        bound += [self._reach(chain, place, look.node) for chain in look.names.globals]
        if any(chain[-1] in ("file", "env") for chain in look.names.globals):
            self._declared(look.node, place)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for chain in look.names.free:
            content = _content(cells[chain[0]])
            guards.cells.append((cells[chain[0]], content))
            value, _, where = self._descend(content, chain, place)
            name = "closure cell " + ".".join(chain) + ("" if function is self._root else f" of {code.co_name}")
            bound.append(f"{'.'.join(chain)}={self._bind(name, value, where, part=name)}")
        for each in look.names.imports:
            self._import(each, place)
        for argument, default in _defaults(function):
            name = f"default of {argument}" + ("" if function is self._root else f" in {_readable(code.co_qualname)}")
            bound.append(f"{argument}={self._bind(name, default, place, part=name)}")
        return "\n".join(bound)

    def _shape(self, look: _Look, code: CodeType, place: Place, role: str) -> str:
        """The shape of a function; on the way its decorators, and the annotations of a step, are followed."""
        node = look.node
        if isinstance(node, ast.Lambda):
            return shapes.of_lambda(node)
        if node is None:
            return shapes.of_code(code)
        dropped = set[int]()
        for index, each in enumerate(node.decorator_list):
            callee = names.chain_of(each.func if isinstance(each, ast.Call) else each)
            if callee is not None and _is_ours(self._resolve(callee, place)[0]):
                dropped.add(index)  # what Treadle's own decorators say does not change what the body computes
                continue
            for chain in names.in_syntax(each):
                value, _, where = self._resolve(chain, place)
                if value is not MISSING:
                    self._bind(".".join(chain), value, where, role="decorator")
        if role == "step":
            self._annotations(node, place)
        key = (role == "step", frozenset(dropped))
        shape = look.shapes.get(key)
        if shape is None:
            left_out = frozenset[ast.AST](node.decorator_list[index] for index in dropped)
            shape = look.shapes[key] = shapes.of_function(node, left_out, is_step=role == "step")
        return shape

    def _annotations(self, node: shapes.Function, place: Place) -> None:
        """A class named in a step's signature is reached: its methods are called on what is passed in."""
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        expressions = [each.annotation for each in every if each is not None and each.annotation is not None]
        for expression in expressions:
            for chain in names.in_syntax(expression, annotation=True):
                value, _, _ = self._resolve(chain, place)
                if isinstance(value, type | ModuleType) and not (
                    isinstance(value, ModuleType) and origins.of_module(value).is_project
                ):
                    self.follow(value)

    def _class(self, kind: type, place: Place) -> str:
        for base in (*kind.__mro__[1:], type(kind)):
            if base is not object and base is not type:
                self.follow(base)
        source = source_of(place.filename, place.globals)
        nodes = source.classes(kind.__qualname__) if source is not None else []
        methods = [(name, each) for name, value in _members(kind) for each in _functions_in(value)]
        own = [(name, each) for name, each in methods if each.__code__.co_filename == place.filename]
        is_current = bool(nodes) and all(_look(each.__code__, place).node is not None for _, each in own)
        text = [shapes.of_class(each, methods=False) for each in nodes] if is_current else ["as loaded"]
        for name, each in own:
            text.append(f"{name}: {self._function(each, place, 'method')}")
        for name, each in methods:
            if each.__code__.co_filename != place.filename and not each.__code__.co_filename.startswith("<"):
                text.append(f"{name}: {self.follow(each)}")
        text += self._class_values(kind, place, strict=not is_current)
        if is_current:
            text += [
                self._reach(chain, place, None, optional=True) for node in nodes for chain in _around_methods(node)
            ]
        return "\n".join(text)

    def _class_values(self, kind: type, place: Place, *, strict: bool) -> list[str]:
        """Class attributes by value: those that cannot change in place, and all of them where there is no source."""
        found: list[str] = []
        for name, value in _members(kind):
            self.guards.names.append((kind.__dict__, name, value))
            if name.startswith("__") or list(_functions_in(value)) or isinstance(value, CODE):
                continue
            encoder = Encoder(self.follow, place.root)
            try:
                encoder.put(value)
            except Unhashable:
                continue
            if strict or not encoder.mutable:
                found.append(f"{name}={encoder.text()}")
        return found

    def _widen(self, place: Place, why: str = "") -> None:
        """Takes a whole loaded module: its source, and everything that its source reaches."""
        if why:
            self.widened.append(f"{why}, so all of {place.label} counts")
        key = f"{place.label}\0{place.filename}"
        if key not in self._modules and place.globals:
            self._modules.add(key)
            self._waiting.append(lambda: self._part(f"module {place.label}", self._module(place)))

    def _module(self, place: Place) -> str:
        source = source_of(place.filename, place.globals)
        members = [(name, value) for name, value in list(place.globals.items()) if not name.startswith("__")]
        own = [
            value
            for _, value in members
            if isinstance(value, FunctionType) and value.__code__.co_filename == place.filename
        ]
        is_current = source is not None and all(source.node_of(each.__code__) is not None for each in own)
        whole = source.whole if source is not None and is_current else None
        text = [shapes.of_module(whole.tree) if whole is not None else "as loaded"]
        for name, value in sorted(members):
            if isinstance(value, FunctionType | type) or _is_step(value):
                self.guards.names.append((place.globals, name, value))
                text.append(f"{name}={self.follow(value)}")
            elif whole is None:
                text.append(f"{name}={self._bind(name, value, place, widens=False)}")
        if whole is not None:
            used = names.used_by(whole.code)
            text += [self._reach(each, place, None, in_module=True) for each in used.globals]
        return "\n".join(text)

    # --- names

    def _reach(
        self,
        chain: Chain,
        place: Place,
        node: ast.AST | None,
        *,
        optional: bool = False,
        in_module: bool = False,
    ) -> str:
        """Follows one chain of a function, class or module; answers what it is bound to, as a line of its text."""
        value, name, where = self._resolve(chain, place)
        spelled = ".".join(chain)
        if value is MISSING:
            if chain[0].startswith("__") or optional or in_module:
                return ""
            self._part(f"unresolved {spelled} ({place.label})", "")
            return f"{spelled}=?"
        dynamic = _DYNAMIC.get(id(value))
        if dynamic is None and (value is importlib or value is builtins) and chain[-1] in _DYNAMIC.values():
            dynamic = chain[-1]
        if dynamic is not None:
            self._dynamic(dynamic, node, place, in_module=in_module)
        if in_module and where is place and not isinstance(value, CODE) and not _is_step(value):
            return ""  # the module's own values: its source says how they are made
        return f"{spelled}={self._bind(name, value, where)}"

    def _resolve(self, chain: Chain, place: Place) -> tuple[Any, str, Place]:
        """What a chain leads to, the name it has there, and the module in which that is."""
        first = chain[0]
        value: Any = place.globals.get(first, MISSING)
        self.guards.names.append((place.globals, first, value))
        if first in ("__name__", "__file__", "__doc__", "__spec__", "__package__", "__loader__", "__builtins__"):
            return MISSING, first, place
        if value is MISSING:
            value = getattr(builtins, first, MISSING)
        return self._descend(value, chain, place)

    def _descend(self, value: Any, chain: Chain, place: Place) -> tuple[Any, str, Place]:
        name = chain[0]
        for attribute in chain[1:]:
            if not isinstance(value, ModuleType):
                break
            members = vars(value)
            inner = members.get(attribute, MISSING)
            if inner is MISSING:
                break  # the module makes it up (`__getattr__`), or does not have it
            is_project = origins.of_module(value).is_project
            if not is_project and not isinstance(inner, ModuleType):
                break  # of a distribution the version counts
            self.guards.names.append((members, attribute, inner))
            if is_project:
                place = Place.of(members, members.get("__file__") or "<string>")
            value, name = inner, attribute
        return value, name, place

    def _bind(
        self, name: str, value: Any, where: Place, *, part: str = "", role: str = "helper", widens: bool = True
    ) -> str:
        """What a name is bound to. Code is followed; a value becomes a part of its own; else the module is widened."""
        if isinstance(value, declaring.DeclaredFile):
            return self._file(value)
        if isinstance(value, declaring.DeclaredVariable):
            return self._variable(value.name)
        encoder = Encoder(self.follow, where.root)
        try:
            if isinstance(value, CODE) or callable(getattr(value, "__wrapped__", None)):
                return self.follow(value, role)
            encoder.put(value)
        except Unhashable as reason:
            self._distribution(origins.of_class(type(value)))
            if widens:
                self._widen(where, f"the value of {name} has no digest ({reason})")
            return f"a {type(value).__module__}.{type(value).__qualname__}"
        text = encoder.text()
        if encoder.mutable:
            self.guards.values.append((value, where.root, digests.of_bytes(text.encode("utf-8", "surrogatepass"))))
        if name.startswith("__") and not part:
            return text
        self._part(part or f"constant {name} ({where.label})", text)
        return "value"

    def _encoded(self, value: Any) -> str:
        encoder = Encoder(self.follow, "")
        encoder.put(value)
        text = encoder.text()
        if encoder.mutable:
            self.guards.values.append((value, "", digests.of_bytes(text.encode("utf-8", "surrogatepass"))))
        return text

    # --- what cannot be followed by name

    def _dynamic(self, name: str, node: ast.AST | None, place: Place, *, in_module: bool) -> None:
        """`eval`, `exec`, `globals`, a computed `getattr` or `import_module`: the whole module counts. A constant
        argument says what is meant; Treadle's own files and variables declared in a body are looked up here too."""
        if in_module:
            return
        if node is not None and name in ("getattr", "import_module", "__import__"):
            constants = _constant_arguments(node, name)
            if constants is not None:
                if name != "getattr":
                    for each in constants:
                        self._import(names.Import(each, (), 0), place)
                return
        self._widen(place, f"{name}() is used in {place.label}")

    def _import(self, wanted: names.Import, place: Place) -> None:
        for each in importing.reached_by(wanted, place.globals):
            self.guards.stamps.extend(each.stamps)
            if each.distribution is not None:
                self._distribution(each.distribution)
            else:
                self._part(f"module {each.label} (imported in a function)", each.text)

    # --- parts

    def _declared(self, node: ast.AST | None, place: Place) -> None:
        """Files and variables that a body declares with a constant name: `td.file("rates.csv")`, `td.env("REGION")`."""
        for call in ast.walk(node) if node is not None else ():
            if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[0], ast.Constant):
                continue
            chain = names.chain_of(call.func)
            if chain is None or chain[-1] not in ("file", "env") or not isinstance(call.args[0].value, str):
                continue
            value, _, _ = self._resolve(chain, place)
            if value is declaring.file or (isinstance(value, ModuleType) and _is_ours(value) and chain[-1] == "file"):
                self._file(call.args[0].value)
            elif value is declaring.env or (isinstance(value, ModuleType) and _is_ours(value)):
                self._variable(call.args[0].value)

    def _file(self, path: str) -> str:
        self.files.append(os.path.abspath(path))
        self.guards.contents.append((str(path), declaring.digest_of_file(path)))
        self.parts[f"file {path}"] = self.guards.contents[-1][1]
        return f"file {path}"

    def _variable(self, name: str) -> str:
        self.variables.append(name)
        digest = declaring.digest_of_variable(name)
        self.guards.variables.append((name, digest))
        self.parts[f"environment variable {name}"] = digest
        return f"environment variable {name}"

    def _part(self, name: str, text: str) -> None:
        self.parts[name] = digests.of_bytes(text.encode("utf-8", "surrogatepass"))

    def _distribution(self, origin: Origin) -> None:
        each = origin.distribution
        if each is not None:
            self._part(f"distribution {each.name} {each.version}", f"{each.name}=={each.version} {each.origin}")

    def _extension(self, module: ModuleType) -> None:
        filename = str(module.__file__)
        self.guards.contents.append((filename, declaring.digest_of_file(filename)))
        self.parts[f"extension {os.path.basename(filename)}"] = self.guards.contents[-1][1]

    def _unique(self, name: str, thing: object) -> str:
        """Two pieces of code of one name in one file (a redefinition, a closure made twice) get numbers."""
        self._taken[name] = count = self._taken.get(name, 0) + 1
        return name if count == 1 else f"{name[:-1]} {count})"


def _is_step(thing: Any) -> bool:
    return type(thing).__module__.startswith("treadle.") and callable(getattr(thing, "__wrapped__", None))


def _is_ours(value: Any) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__ == "treadle" or value.__name__.startswith("treadle.")
    return str(getattr(value, "__module__", "")).startswith("treadle.")


def _is_extension(module: ModuleType) -> bool:
    return not str(getattr(module, "__file__", None) or ".py").endswith((".py", ".pyc", ".ipynb"))


def _readable(qualname: str) -> str:
    return qualname.replace("<locals>.", "")


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _defaults(function: FunctionType) -> list[tuple[str, Any]]:
    code, values = function.__code__, function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    found = list(zip(positional[len(positional) - len(values) :], values, strict=True))
    return found + sorted((function.__kwdefaults__ or {}).items())


def _members(kind: type) -> list[tuple[str, Any]]:
    return sorted(kind.__dict__.items())


def _functions_in(value: Any) -> Iterable[FunctionType]:
    """The functions that a class attribute stands for: itself, or those of a property, a static method, a cache."""
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, staticmethod | classmethod):
        yield from _functions_in(value.__func__)
    elif isinstance(value, property):
        for each in (value.fget, value.fset, value.fdel):
            yield from _functions_in(each)
    elif isinstance(value, cached_property):
        yield from _functions_in(value.func)
    elif callable(getattr(value, "__wrapped__", None)) and not isinstance(value, type):
        yield from _functions_in(value.__wrapped__)


def _home_of(kind: type) -> Place:
    """The module of a class: the one that it names, or where its methods are at home when that one is not loaded."""
    module = sys.modules.get(kind.__module__)
    for _, value in _members(kind):
        for each in _functions_in(value):
            if each.__globals__.get("__name__") == kind.__module__ and not each.__code__.co_filename.startswith(
                "<string"
            ):
                return Place.of(each.__globals__, each.__code__.co_filename)
    module_globals = vars(module) if module is not None else {}
    return Place.of(module_globals, module_globals.get("__file__") or "<string>")


def _around_methods(node: ast.ClassDef) -> list[Chain]:
    """The chains of a class statement outside its methods' bodies."""
    found: set[Chain] = set()
    for each in (*node.decorator_list, *node.bases, *node.keywords, *node.body):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in each.decorator_list:
                found.update(names.in_syntax(decorator))
        else:
            found.update(names.in_syntax(each))
    return sorted(found)


def _constant_arguments(node: ast.AST, name: str) -> list[str] | None:
    """The constant names given to a dynamic look-up, or None when one of them is computed or it is passed around."""
    position = 1 if name == "getattr" else 0
    called: set[int] = set()
    constants: list[str] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and _ends_with(each.func, name):
            called.add(id(each.func))
            argument = each.args[position] if len(each.args) > position else None
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                return None
            constants.append(argument.value)
    uses = [each for each in ast.walk(node) if _ends_with(each, name)]
    return constants if uses and all(id(each) in called for each in uses) else None


def _ends_with(node: ast.AST, name: str) -> bool:
    chain = names.chain_of(node)
    return chain is not None and chain[-1] == name
