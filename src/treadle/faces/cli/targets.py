"""A target names a pipeline: `pipeline.py`, `flows/daily.py:retrain`, `flows.daily:retrain`.

A file is imported under the name that Python itself would give it from the folder of its topmost package, so that steps in it
are the same steps however they are reached.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

import treadle
from treadle.faces.cli.signatures import UsageWrong
from treadle.faces.project_files import pipeline_files
from treadle.ground.errors import InvalidInput, NotFound, TreadleError, did_you_mean
from treadle.kernel.engine.pipelines import Pipeline
from treadle.kernel.engine.rerunning import nothing_starts

_NOT_THE_USERS = (str(Path(importlib.__file__).parent), str(Path(treadle.__file__).parent))
"""Where the lines of Python's import and of Treadle are: errors are shown at the user's own."""


class TargetNotFound(NotFound):
    """The target names no file, no module, or no pipeline in it."""

    code = "cli.target_not_found"


class TargetBroken(InvalidInput):
    """The target's module cannot be imported."""

    code = "cli.target_broken"


def find_pipeline(target: str, project_root: Path) -> Pipeline[..., Any]:
    """The pipeline of a target. Raises TargetNotFound, TargetBroken, or UsageWrong when there are several to choose from."""
    place, _, name = target.partition(":")
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place, project_root)
    found = _own_pipelines(module, name)
    if name:
        if name not in found:
            raise TargetNotFound(f"There is no pipeline {name!r} in {place}.", why=did_you_mean(name, found))
        return found[name]
    if not found:
        raise TargetNotFound(f"There is no pipeline in {place}.", fix="Mark a function with @td.pipeline.")
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise UsageWrong(
            f"There are {len(found)} pipelines in {place}: {names}.", fix=f"Name one: {place}:{min(found)}"
        )
    return next(iter(found.values()))


def project_pipelines(targets: list[str], project_root: Path) -> list[Pipeline[..., Any]]:
    """The pipelines of some targets; of a target that names a file or module, all of it; without any, all of the project.

    Nothing that importing the code would run is run. Raises TargetNotFound, TargetBroken, or UsageWrong when two
    pipelines have one name.
    """
    found: dict[str, Pipeline[..., Any]] = {}
    with nothing_starts():
        for target in targets or map(str, pipeline_files(project_root)):
            place, _, name = target.partition(":")
            if name:
                chosen = [find_pipeline(target, project_root)]
            else:
                module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place, project_root)
                chosen = list(_own_pipelines(module).values())
                if not chosen and targets:
                    raise TargetNotFound(f"There is no pipeline in {place}.", fix="Mark a function with @td.pipeline.")
            for pipeline in chosen:
                other = found.setdefault(pipeline.name, pipeline)
                if other is not pipeline:
                    raise UsageWrong(
                        f"Two pipelines are named {pipeline.name!r}.",
                        why=f"One is in {other.function.__module__}, one in {pipeline.function.__module__}.",
                        fix="Name one of them otherwise: @td.pipeline(name=…), or publish one by its target.",
                    )
    return list(found.values())


def bind_parameters(pipeline: Pipeline[..., Any], pairs: list[str] | None) -> dict[str, Any]:
    """The arguments that `-p name=value` gives, read as the pipeline's annotations say, defaults included.

    Text stays text where a text is asked for; elsewhere a value is read as JSON, and as text where it is none.
    """
    given: dict[str, Any] = {}
    for pair in pairs or ():
        name, sign, text = pair.partition("=")
        if not sign or not name.isidentifier():
            raise UsageWrong(f"{pair!r} is no parameter.", why="A parameter is written name=value.", fix="-p rate=0.1")
        if name not in pipeline.signature.parameters:
            known = did_you_mean(name, pipeline.signature.parameters)
            raise UsageWrong(f"The pipeline {pipeline.name!r} has no parameter {name!r}.", why=known)
        given[name] = _read(pipeline, name, text)
    missing = [
        parameter.name
        for parameter in pipeline.signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in given
    ]
    if missing:
        raise UsageWrong(
            f"The pipeline {pipeline.name!r} needs {', '.join(missing)}.",
            why=f"It is declared as {pipeline.name}{pipeline.signature}.",
            fix=" ".join(f"-p {name}=…" for name in missing),
        )
    return pipeline.bind((), given)


def _own_pipelines(module: ModuleType, name: str = "") -> dict[str, Pipeline[..., Any]]:
    """The pipelines that a module defines, and the one of that name even if it only imports it."""
    return {
        attribute: value
        for attribute, value in vars(module).items()
        if isinstance(value, Pipeline) and (attribute == name or value.function.__module__ == module.__name__)
    }


def _read(pipeline: Pipeline[..., Any], name: str, text: str) -> Any:
    kind = pipeline.types.get(name, Any)
    if kind is str:
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageWrong(f"{name}={text} is no value for {name} of {pipeline.name!r}.", why=str(error)) from error
    except TypeError:  # an annotation that says nothing about values
        return value


def _import_file(path: Path) -> ModuleType:
    path = path.absolute()
    if not path.is_file():
        near = [str(other.name) for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise TargetNotFound(
            f"There is no file {path}.",
            why=did_you_mean(path.name, near) or f"{path.parent} has no Python file.",
            fix="Name a file with a pipeline, or begin a project with: treadle init",
        )
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    _look_in(folder)
    module = _imported(".".join(names))
    if not module.__file__ or Path(module.__file__).resolve() != path.resolve():
        raise TargetBroken(
            f"{path.name} cannot be imported: its name is taken.",
            why=f"`import {'.'.join(names)}` gives {module.__file__ or 'a part of Python'}.",
            fix="Give the file another name.",
        )
    return module


def _import_module(name: str, project_root: Path) -> ModuleType:
    _look_in(project_root)
    _look_in(Path.cwd())
    try:
        return _imported(name)
    except TargetBroken as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and (error.__cause__.name or "") in name:
            raise TargetNotFound(
                f"There is no module {name!r}.", fix="Name the file: treadle run pipeline.py"
            ) from error.__cause__
        raise


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the user's module raises while it is imported
        said = error.sentences() if isinstance(error, TreadleError) else [f"{type(error).__name__}: {error}"]
        raise TargetBroken(
            f"The module {name!r} cannot be imported.", why=" ".join(said), fix=_place_of(error)
        ) from error


def _place_of(error: BaseException) -> str:
    """Where the user's own line is, as a thing to open."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(("<", *_NOT_THE_USERS)):
            place = f"See {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
