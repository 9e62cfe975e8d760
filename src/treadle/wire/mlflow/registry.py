"""The registry of the protocol: what requests ask, which names it takes, and how models and versions are written."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.errors import ProtocolError, invalid, missing, wrong_type
from treadle.wire.mlflow.experiments import TagSent

MODELS_PER_PAGE, MOST_MODELS = 100, 1_000
VERSIONS_PER_PAGE = MOST_VERSIONS = 200_000
_LONGEST_KEY, _LONGEST_VALUE, _LONGEST_ALIAS = 250, 100_000, 255
_KEY = re.compile(r"[/\w.\- :]*")
_ALIAS = re.compile(r"[\w\-]*")
_NUMBER_ALIAS = re.compile(r"[vV]\d+")
_PROMPT_TEXT = "mlflow.prompt.text"


class ModelAsked(msgspec.Struct):
    """registered-models/get, create, update and delete."""

    name: str = ""
    description: str | None = None
    tags: list[TagSent] = []


class RenameAsked(msgspec.Struct):
    """registered-models/rename."""

    name: str = ""
    new_name: str = ""


class LatestAsked(msgspec.Struct):
    """registered-models/get-latest-versions."""

    name: str = ""
    stages: list[str] = []


class SearchAsked(msgspec.Struct):
    """registered-models/search and model-versions/search."""

    filter: str = ""
    max_results: int | None = None
    order_by: list[str] = []
    page_token: str = ""


class VersionAsked(msgspec.Struct):
    """model-versions/get, update, delete and get-download-uri."""

    name: str = ""
    version: str = ""
    description: str | None = None


class CreateVersionAsked(msgspec.Struct):
    """model-versions/create."""

    name: str = ""
    source: str = ""
    run_id: str | None = None
    tags: list[TagSent] = []
    run_link: str = ""
    description: str = ""
    model_id: str | None = None


class StageAsked(msgspec.Struct):
    """model-versions/transition-stage."""

    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: Any = False


class LabelAsked(msgspec.Struct):
    """set-tag and delete-tag of models and versions."""

    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


class AliasAsked(msgspec.Struct):
    """registered-models/alias."""

    name: str = ""
    alias: str = ""
    version: str = ""


# Names


def required(**given: str) -> None:
    """Raises ProtocolError for the first of some parameters that is empty."""
    for name, value in given.items():
        if not value:
            raise missing(name)


def check_model_name(name: str, parameter: str = "name") -> None:
    """Raises ProtocolError for what cannot be the name of a model."""
    if not name.strip():
        raise invalid(f"Missing value for required parameter '{parameter}'.")
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    _check_stable("name", name)


def check_label(key: str, value: str, *, is_version: bool = False) -> None:
    """Raises ProtocolError for what cannot be a tag."""
    if not _KEY.fullmatch(key):
        raise _refused(
            "key",
            key,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and "
            "slashes (/).",
        )
    _check_stable("key", key)
    _check_length("key", key, _LONGEST_KEY)
    if is_version and key == _PROMPT_TEXT and len(value) > _LONGEST_VALUE:
        raise invalid(f"Prompt text exceeds max length of {_LONGEST_VALUE} characters.")
    _check_length("value", value, _LONGEST_VALUE)


def check_key(key: str) -> None:
    """Raises ProtocolError for what cannot be the key of a tag."""
    check_label(key[:_LONGEST_KEY], "")


def check_alias(alias: str, *, is_new: bool = False) -> None:
    """Raises ProtocolError for what cannot be an alias, or what no new one may be called."""
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    _check_length("Registered model alias name", alias, _LONGEST_ALIAS, quoted="Registered model alias name")
    if is_new and alias.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if is_new and _NUMBER_ALIAS.fullmatch(alias):
        raise invalid(f"Version alias name '{alias}' is reserved.")


def truth(parameter: str, value: Any) -> bool:
    """A truth value, which is never spelled as a text. Raises ProtocolError."""
    if not isinstance(value, bool):
        raise wrong_type(parameter, value)
    return value


def version_number(text: str) -> int:
    """The number of a version. Raises ProtocolError."""
    try:
        return int(text)
    except ValueError:
        raise invalid(f"Parameter 'version' must be an integer, got '{text}'.") from None


def page_size(asked: int | None, *, usual: int, most: int, is_query: bool) -> int:
    """How many results a page has. Raises ProtocolError beyond the most."""
    if asked is None:
        return usual
    if asked > most:
        raise wrong_type("max_results", str(asked) if is_query else asked)
    return asked


def _check_stable(parameter: str, name: str) -> None:
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        raise _refused(
            parameter,
            name,
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. "
            f"This name would resolve to {plain!r}",
        )


def _check_length(parameter: str, value: str, most: int, *, quoted: str | None = None) -> None:
    if len(value) > most:
        raise invalid(f"'{quoted or parameter}' exceeds the maximum length of {most} characters")


def _refused(parameter: str, value: str, why: str) -> ProtocolError:
    return invalid(f"Invalid value {json.dumps(value)} for parameter '{parameter}' supplied: {why}")


# Records


class _Version(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def description(self) -> str | None: ...
    @property
    def stage(self) -> str: ...
    @property
    def source(self) -> str | None: ...
    @property
    def run_id(self) -> str | None: ...
    @property
    def run_link(self) -> str | None: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def updated_ms(self) -> int: ...


class _Model(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def updated_ms(self) -> int: ...


def version(found: _Version, tags: Mapping[str, str], aliases: Sequence[str]) -> dict[str, Any]:
    """A model version. What was never given is left out, as protobuf does it."""
    written: dict[str, Any] = {
        "name": found.model,
        "version": str(found.number),
        "creation_timestamp": found.created_ms,
        "last_updated_timestamp": found.updated_ms,
        "current_stage": found.stage,
    }
    if found.description is not None:
        written["description"] = found.description
    written |= {"source": found.source or "", "run_id": found.run_id or "", "status": "READY"}
    if tags:
        written["tags"] = _tags(tags)
    written["run_link"] = found.run_link or ""
    if aliases:
        written["aliases"] = list(aliases)
    return written


def model(
    found: _Model, tags: Mapping[str, str], aliases: Mapping[str, int], latest: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A registered model with the newest version of each stage."""
    written: dict[str, Any] = {
        "name": found.name,
        "creation_timestamp": found.created_ms,
        "last_updated_timestamp": found.updated_ms,
    }
    if found.description:
        written["description"] = found.description
    if latest:
        written["latest_versions"] = list(latest)
    if tags:
        written["tags"] = _tags(tags)
    if aliases:
        written["aliases"] = [{"alias": alias, "version": str(number)} for alias, number in sorted(aliases.items())]
    return written


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
