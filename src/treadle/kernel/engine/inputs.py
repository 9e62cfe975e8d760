"""Arguments of a step: what of them enters the key, what becomes an edge, and how the body gets the value.

A scalar is a parameter. A handle, a pinned snapshot and a declared file have digests of their own. Lists, tuples and
dictionaries are looked through, since `summarise([a, b, c])` is how people write. Whatever else has no canonical text
(a frame, an array, a model) is stored and then is an input like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.declaring import DeclaredFile, DeclaredVariable
from treadle.kernel.engine.errors import UnkeyableArgument
from treadle.kernel.engine.handles import _NOTHING, Handle, settled
from treadle.kernel.engine.records import RecomputedInput, StoredInput
from treadle.kernel.engine.secrets import Secret
from treadle.kernel.engine.values import MAX_PARAMETER_BYTES, NotAParameter, canonical, to_json

_SCALARS = frozenset({str, int, bool, float, type(None)})


class Used(NamedTuple):
    """One input of a call: its role, its digest, and the run that made it."""

    role: str
    digest: str
    producer: str | None


@dataclass(frozen=True, slots=True)
class Nested:
    """A container that holds inputs: `kind` is list, tuple or dict; the items are specifications themselves."""

    kind: type
    items: Any


@dataclass(frozen=True, slots=True)
class PinnedInput:
    """An argument that loads itself: a snapshot of a dataset."""

    pinned: Any


class Binding:
    """The arguments of one call: forms for the key, inputs for the edges, specifications for the body."""

    __slots__ = ("_keep", "_run", "artifacts", "forms", "params", "specs", "used")

    def __init__(self, run: str, keep: Callable[[Any], Artifact]) -> None:
        """run: the pipeline run that passes raw values. keep: stores such a value."""
        self._run, self._keep = run, keep
        self.forms: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.specs: dict[str, Any] = {}
        self.used: list[Used] = []
        self.artifacts: list[Artifact] = []

    def add(self, name: str, value: Any) -> None:
        """Takes one argument. Waits for handles; raises what their steps raised. Raises UnkeyableArgument."""
        if type(value) in _SCALARS:
            self.params[name] = self.forms[name] = value if type(value) is not float else to_json(value)
            self.specs[name] = value
            return
        count = len(self.used)
        form, spec = self._bind(value, name)
        self.forms[name], self.specs[name] = form, spec
        if len(self.used) == count:
            self.params[name] = form

    def _bind(self, value: Any, role: str) -> tuple[Any, Any]:
        kind = type(value)
        if kind is Handle:
            return self._handle(value, role)
        if kind is list or kind is tuple or kind is dict:
            return self._container(kind, value, role)
        if kind is DeclaredFile:
            return {"$file": [value.path, value.digest]}, value
        if kind is DeclaredVariable:
            return {"$env": [value.name, value.digest]}, value
        if kind is Secret:
            return {"$secret": value.name}, value
        if hasattr(kind, "treadle_load"):
            return self._input(role, value.digest, value.treadle_producer()), PinnedInput(value)
        return self._value(value, role)

    def _handle(self, handle: Handle, role: str) -> tuple[Any, Any]:
        if handle._error is not None:  # passed on, not yet met by the body
            raise handle._error
        found = settled(handle)
        artifact = found._artifact
        form = self._input(role, artifact.digest, found._run)
        if found._scalar is not _NOTHING:
            return form, found._scalar
        return form, found._owner.specify(found)  # type: ignore[attr-defined]

    def _container(self, kind: type, value: Any, role: str) -> tuple[Any, Any]:
        count = len(self.used)
        if kind is dict:
            bound = {key: self._bind(item, f"{role}[{key}]") for key, item in value.items()}
            forms: Any = {"$dict": [[to_json(key), form] for key, (form, _) in bound.items()]}
            specs: Any = {key: spec for key, (_, spec) in bound.items()}
        else:
            pairs = [self._bind(item, f"{role}[{place}]") for place, item in enumerate(value)]
            forms = [form for form, _ in pairs]
            specs = [spec for _, spec in pairs]
            if kind is tuple:
                forms = {"$tuple": forms}
        if len(self.used) == count and not _has_specs(specs):
            return self._value(value, role)
        return forms, Nested(kind, specs)

    def _value(self, value: Any, role: str) -> tuple[Any, Any]:
        try:
            text = canonical(value)
        except NotAParameter:
            return self._stored(value, role)
        if len(text) > MAX_PARAMETER_BYTES:
            return self._stored(value, role)
        return to_json(value), value

    def _stored(self, value: Any, role: str) -> tuple[Any, Any]:
        try:
            artifact = self._keep(value)
        except Exception as error:
            raise UnkeyableArgument(
                f"The argument {role!r} has no identity: {type(value).__module__}.{type(value).__qualname__}.",
                why=f"A step's key rests on its arguments, and this one cannot be stored: {error}",
                fix="Pass what it is made from, or make it inside the step.",
                role=role,
            ) from error
        self.artifacts.append(artifact)
        return self._input(role, artifact.digest, self._run), StoredInput(artifact=artifact)

    def _input(self, role: str, digest: str, producer: str | None) -> dict[str, str]:
        self.used.append(Used(role, digest, producer))
        return {"$input": digest}


def declared_in(specs: Iterable[Any]) -> tuple[list[str], list[str]]:
    """The paths and the names of variables that were declared among specifications, at any depth."""
    files: list[str] = []
    variables: list[str] = []
    for spec in specs:
        kind = type(spec)
        if kind is DeclaredFile:
            files.append(spec.path)
        elif kind is DeclaredVariable:
            variables.append(spec.name)
        elif kind is Nested:
            inner_files, inner_variables = declared_in(spec.items.values() if spec.kind is dict else spec.items)
            files += inner_files
            variables += inner_variables
    return files, variables


def _has_specs(specs: Any) -> bool:
    values = specs.values() if isinstance(specs, dict) else specs
    return any(type(spec) in (Nested, DeclaredFile, DeclaredVariable, Secret, PinnedInput) for spec in values)


def materialise(
    spec: Any, as_type: Any, load: Callable[[Artifact, Any], Any], recompute: Callable[[RecomputedInput, Any], Any]
) -> Any:
    """The value that a specification stands for; `as_type` is what the body's annotation asks for."""
    kind = type(spec)
    if kind is StoredInput:
        return load(spec.artifact, as_type or spec.as_type)
    if kind is Nested:
        inner = _element_type(as_type)
        if spec.kind is dict:
            return {key: materialise(item, inner, load, recompute) for key, item in spec.items.items()}
        return spec.kind(materialise(item, inner, load, recompute) for item in spec.items)
    if kind is PinnedInput:
        return spec.pinned.treadle_load(as_type)
    if kind is RecomputedInput:
        return recompute(spec, as_type)
    return spec


def _element_type(as_type: Any) -> Any:
    arguments = [each for each in get_args(as_type) if each is not Ellipsis]
    return arguments[-1] if arguments and isinstance(arguments[-1], type) else None


def materialise_all(
    specs: Mapping[str, Any],
    types: Callable[[], Mapping[str, Any]],
    load: Callable[[Artifact, Any], Any],
    recompute: Callable[[RecomputedInput, Any], Any],
) -> dict[str, Any]:
    """The arguments of a call by name. `types` is asked only when an argument is not the value already."""
    if all(type(spec) in _SCALARS for spec in specs.values()):
        return dict(specs)
    hints = types()
    return {name: materialise(spec, hints.get(name), load, recompute) for name, spec in specs.items()}
