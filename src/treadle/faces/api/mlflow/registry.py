"""The model registry over the protocol: registered models, their versions, aliases, stages and labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.registry.errors import AliasNotFound, ModelExists, ModelNotFound, ModelVersionNotFound
from treadle.systems.train.registry.records import PROMPT_TAG, LabelledVersion, ModelSheet
from treadle.systems.train.registry.requests import (
    CreateModel,
    CreateVersion,
    DeleteModel,
    DeleteVersion,
    DescribeModel,
    DescribeVersion,
    DropAlias,
    LatestVersions,
    ModelNamed,
    PromoteModel,
    RenameModel,
    StageVersion,
    TagModel,
    TagVersion,
    VersionNamed,
)
from treadle.systems.train.registry.searching import SearchRegistry
from treadle.wire.mlflow import registry as wire
from treadle.wire.mlflow.errors import ProtocolError, absent, invalid

# Models


def create_model(exchange: Exchange) -> Answer:
    """POST registered-models/create"""
    asked = exchange.read(wire.ModelAsked)
    wire.required(name=asked.name)
    wire.check_model_name(asked.name)
    for tag in asked.tags:
        wire.check_label(tag.key, tag.value)
    tags = {tag.key: tag.value for tag in asked.tags}
    request = CreateModel(name=asked.name, description=asked.description or "", tags=tags)
    try:
        made = exchange.workspace.registry.models.create(exchange.caller, request)
    except ModelExists as error:
        was_prompt = bool(error.context.get("is_prompt"))
        raise _taken(asked.name, was_prompt, PROMPT_TAG in tags) from error
    return _model(made)


def get_model(exchange: Exchange) -> Answer:
    """GET registered-models/get"""
    asked = exchange.read(wire.ModelAsked)
    wire.required(name=asked.name)
    wire.check_model_name(asked.name)
    with _words(asked.name):
        return _model(exchange.workspace.registry.models.look(exchange.caller, ModelNamed(model=asked.name)))


def update_model(exchange: Exchange) -> Answer:
    """PATCH registered-models/update"""
    asked = exchange.read(wire.ModelAsked)
    wire.required(name=asked.name)
    wire.check_model_name(asked.name)
    request = DescribeModel(model=asked.name, description=asked.description or "")
    with _words(asked.name):
        return _model(exchange.workspace.registry.models.describe(exchange.caller, request))


def rename_model(exchange: Exchange) -> Answer:
    """POST registered-models/rename"""
    asked = exchange.read(wire.RenameAsked)
    wire.required(name=asked.name, new_name=asked.new_name)
    wire.check_model_name(asked.new_name)
    wire.check_model_name(asked.name)
    request = RenameModel(model=asked.name, new_name=asked.new_name)
    try:
        with _words(asked.name):
            return _model(exchange.workspace.registry.models.rename(exchange.caller, request))
    except ModelExists as error:
        raise ProtocolError(
            "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={asked.new_name}) already exists."
        ) from error


def delete_model(exchange: Exchange) -> Answer:
    """DELETE registered-models/delete"""
    asked = exchange.read(wire.ModelAsked)
    wire.required(name=asked.name)
    wire.check_model_name(asked.name)
    with _words(asked.name):
        exchange.workspace.registry.models.delete(exchange.caller, DeleteModel(model=asked.name))
    return Answer()


def search_models(exchange: Exchange) -> Answer:
    """GET registered-models/search"""
    asked = exchange.read(wire.SearchAsked)
    limit = _limit(exchange, asked, wire.MODELS_PER_PAGE, wire.MOST_MODELS)
    if limit < 1:
        return Answer()
    found = exchange.workspace.registry.models.search(exchange.caller, _search(asked, limit))
    return _listed("registered_models", [_model_dict(sheet) for sheet in found.items], found.next)


def latest_versions(exchange: Exchange) -> Answer:
    """POST and GET registered-models/get-latest-versions"""
    asked = exchange.read(wire.LatestAsked)
    wire.required(name=asked.name)
    wire.check_model_name(asked.name)
    request = LatestVersions(model=asked.name, stages=asked.stages)
    with _words(asked.name):
        found = exchange.workspace.registry.versions.latest(exchange.caller, request)
    return _listed("model_versions", [_version_dict(one) for one in found], None)


def set_model_tag(exchange: Exchange) -> Answer:
    """POST registered-models/set-tag"""
    asked = exchange.read(wire.LabelAsked)
    wire.required(name=asked.name, key=asked.key)
    wire.check_model_name(asked.name)
    wire.check_label(asked.key, asked.value)
    with _words(asked.name):
        request = TagModel(model=asked.name, key=asked.key, value=asked.value)
        exchange.workspace.registry.models.tag(exchange.caller, request)
    return Answer()


def delete_model_tag(exchange: Exchange) -> Answer:
    """DELETE registered-models/delete-tag"""
    asked = exchange.read(wire.LabelAsked)
    wire.required(name=asked.name, key=asked.key)
    wire.check_model_name(asked.name)
    wire.check_key(asked.key)
    with _words(asked.name):
        exchange.workspace.registry.models.tag(exchange.caller, TagModel(model=asked.name, key=asked.key))
    return Answer()


# Aliases


def set_alias(exchange: Exchange) -> Answer:
    """POST registered-models/alias"""
    asked = exchange.read(wire.AliasAsked)
    wire.required(name=asked.name, alias=asked.alias, version=asked.version)
    wire.check_model_name(asked.name)
    wire.check_alias(asked.alias, is_new=True)
    number = wire.version_number(asked.version)
    request = PromoteModel(model=asked.name, version=number, alias=asked.alias)
    with _words(asked.name, str(wire.version_number(asked.version))):
        exchange.workspace.registry.models.promote(exchange.caller, request)
    return Answer()


def delete_alias(exchange: Exchange) -> Answer:
    """DELETE registered-models/alias; one that is not there is no error."""
    asked = exchange.read(wire.AliasAsked)
    wire.required(name=asked.name, alias=asked.alias)
    wire.check_model_name(asked.name)
    wire.check_alias(asked.alias)
    try:
        with _words(asked.name):
            exchange.workspace.registry.models.unalias(exchange.caller, DropAlias(model=asked.name, alias=asked.alias))
    except AliasNotFound:
        pass
    return Answer()


def version_by_alias(exchange: Exchange) -> Answer:
    """GET registered-models/alias; `latest` is the newest version."""
    asked = exchange.read(wire.AliasAsked)
    wire.required(name=asked.name, alias=asked.alias)
    wire.check_model_name(asked.name)
    wire.check_alias(asked.alias)
    versions, caller = exchange.workspace.registry.versions, exchange.caller
    try:
        with _words(asked.name):
            if asked.alias.lower() != "latest":
                return _version(versions.at(caller, VersionNamed(model=asked.name, version=asked.alias)))
            newest = versions.latest(caller, LatestVersions(model=asked.name))
    except AliasNotFound as error:
        raise invalid(f"Registered model alias {asked.alias} not found.") from error
    if not newest:
        raise absent(f"Latest version not found for model {asked.name}.")
    return _version(max(newest, key=lambda one: one.version.number))


# Versions


def create_version(exchange: Exchange) -> Answer:
    """POST model-versions/create. A wrong source is told before a wrong name, as clients know it."""
    asked = exchange.read(wire.CreateVersionAsked)
    wire.required(name=asked.name, source=asked.source)
    request = CreateVersion(
        model=asked.name,
        source=asked.source,
        run_id=asked.run_id,
        run_link=asked.run_link,
        logged_model=asked.model_id,
        description=asked.description,
        tags={tag.key: tag.value for tag in asked.tags},
    )
    versions, caller = exchange.workspace.registry.versions, exchange.caller
    try:
        _check_version(asked)
    except ProtocolError:
        with _source_words():
            versions.check(caller, request)
        raise
    with _source_words():
        return _version(versions.create(caller, request))


def _check_version(asked: wire.CreateVersionAsked) -> None:
    wire.check_model_name(asked.name)
    for tag in asked.tags:
        wire.check_label(tag.key, tag.value, is_version=True)


@contextmanager
def _source_words() -> Iterator[None]:
    try:
        yield
    except AliasNotFound as error:
        raise invalid(f"Registered model alias {error.context['alias']} not found.") from error
    except ModelNotFound as error:
        raise absent(f"Registered Model with name={error.context['model']} not found") from error
    except ModelVersionNotFound as error:
        named = error.context
        if "stage" in named:
            raise absent(error.what) from error
        raise absent(f"Model Version (name={named['model']}, version={named['version']}) not found") from error


def get_version(exchange: Exchange) -> Answer:
    """GET model-versions/get"""
    asked = _version_asked(exchange)
    return _version(_found(exchange, asked))


def update_version(exchange: Exchange) -> Answer:
    """PATCH model-versions/update; without a description it is taken away."""
    asked = _version_asked(exchange)
    request = DescribeVersion(
        model=asked.name, version=wire.version_number(asked.version), description=asked.description
    )
    with _words(asked.name, str(wire.version_number(asked.version))):
        return _version(exchange.workspace.registry.versions.describe(exchange.caller, request))


def delete_version(exchange: Exchange) -> Answer:
    """DELETE model-versions/delete"""
    asked = _version_asked(exchange)
    request = DeleteVersion(model=asked.name, version=wire.version_number(asked.version))
    with _words(asked.name, str(wire.version_number(asked.version))):
        exchange.workspace.registry.versions.delete(exchange.caller, request)
    return Answer()


def transition_stage(exchange: Exchange) -> Answer:
    """POST model-versions/transition-stage"""
    asked = exchange.read(wire.StageAsked)
    wire.required(name=asked.name, version=asked.version, stage=asked.stage)
    wire.check_model_name(asked.name)
    request = StageVersion(
        model=asked.name,
        version=wire.version_number(asked.version),
        stage=asked.stage,
        archive_existing=wire.truth("archive_existing_versions", asked.archive_existing_versions),
    )
    with _words(asked.name, str(wire.version_number(asked.version))):
        return _version(exchange.workspace.registry.versions.stage(exchange.caller, request))


def download_uri(exchange: Exchange) -> Answer:
    """GET model-versions/get-download-uri: where exactly this version's files are read, whatever became of its run."""
    asked = exchange.read(wire.VersionAsked)
    wire.check_model_name(asked.name)
    wire.version_number(asked.version)
    found = _found(exchange, asked).version
    if found.source is None:
        named = VersionNamed(model=found.model, version=str(found.number))
        found = exchange.workspace.registry.packages.make(exchange.caller, named)
    location = found.location or found.source
    if location is None:
        raise absent(f"Model Version (name={found.model}, version={found.number}) has no files that clients can load.")
    return answered({"artifact_uri": location})


def search_versions(exchange: Exchange) -> Answer:
    """GET model-versions/search"""
    asked = exchange.read(wire.SearchAsked)
    limit = _limit(exchange, asked, wire.VERSIONS_PER_PAGE, wire.MOST_VERSIONS)
    if limit < 1:
        raise invalid(f"Invalid value for max_results. It must be a positive integer, but got {limit}")
    found = exchange.workspace.registry.versions.search(exchange.caller, _search(asked, limit))
    listed = [wire.version(one.version, one.tags, ()) for one in found.items]
    return _listed("model_versions", listed, found.next)


def set_version_tag(exchange: Exchange) -> Answer:
    """POST model-versions/set-tag"""
    asked = exchange.read(wire.LabelAsked)
    wire.required(name=asked.name, version=asked.version, key=asked.key)
    wire.check_model_name(asked.name)
    number = wire.version_number(asked.version)
    wire.check_label(asked.key, asked.value, is_version=True)
    request = TagVersion(model=asked.name, version=number, key=asked.key, value=asked.value)
    with _words(asked.name, str(wire.version_number(asked.version))):
        exchange.workspace.registry.versions.tag(exchange.caller, request)
    return Answer()


def delete_version_tag(exchange: Exchange) -> Answer:
    """DELETE model-versions/delete-tag"""
    asked = exchange.read(wire.LabelAsked)
    wire.required(name=asked.name, version=asked.version, key=asked.key)
    wire.check_model_name(asked.name)
    request = TagVersion(model=asked.name, version=wire.version_number(asked.version), key=asked.key)
    wire.check_key(asked.key)
    with _words(asked.name, str(wire.version_number(asked.version))):
        exchange.workspace.registry.versions.tag(exchange.caller, request)
    return Answer()


# In the protocol's words


@contextmanager
def _words(name: str, version: str | None = None) -> Iterator[None]:
    try:
        yield
    except ModelNotFound as error:
        if version is not None:
            raise absent(f"Model Version (name={name}, version={version}) not found") from error
        raise absent(f"Registered Model with name={name} not found") from error
    except ModelVersionNotFound as error:
        raise absent(f"Model Version (name={name}, version={version}) not found") from error


def _version_asked(exchange: Exchange) -> wire.VersionAsked:
    asked = exchange.read(wire.VersionAsked)
    wire.required(name=asked.name, version=asked.version)
    wire.check_model_name(asked.name)
    wire.version_number(asked.version)
    return asked


def _found(exchange: Exchange, asked: wire.VersionAsked) -> LabelledVersion:
    number = str(wire.version_number(asked.version))
    with _words(asked.name, number):
        return exchange.workspace.registry.versions.get(exchange.caller, VersionNamed(model=asked.name, version=number))


def _limit(exchange: Exchange, asked: wire.SearchAsked, usual: int, most: int) -> int:
    return wire.page_size(asked.max_results, usual=usual, most=most, is_query=bool(exchange.query))


def _search(asked: wire.SearchAsked, limit: int) -> SearchRegistry:
    return SearchRegistry(filter=asked.filter, order_by=asked.order_by, limit=limit, token=asked.page_token or None)


def _taken(name: str, was_prompt: bool, wants_prompt: bool) -> ProtocolError:
    old, new = ("Prompt" if one else "Registered Model" for one in (was_prompt, wants_prompt))
    if old == new:
        return ProtocolError("RESOURCE_ALREADY_EXISTS", f"{new} (name={name}) already exists.")
    return ProtocolError(
        "RESOURCE_ALREADY_EXISTS",
        f"Tried to create a {new.lower()} with name {name!r}, but the name is already taken by a {old.lower()}. MLflow does "
        "not allow creating a model and a prompt with the same name.",
    )


def _model(sheet: ModelSheet) -> Answer:
    return answered({"registered_model": _model_dict(sheet)})


def _model_dict(sheet: ModelSheet) -> dict[str, Any]:
    latest = [wire.version(one.version, one.tags, ()) for one in sheet.latest]
    return wire.model(sheet.model, sheet.tags, sheet.aliases, latest)


def _version(found: LabelledVersion) -> Answer:
    return answered({"model_version": _version_dict(found)})


def _version_dict(found: LabelledVersion) -> dict[str, Any]:
    return wire.version(found.version, found.tags, found.aliases)


def _listed(name: str, items: list[dict[str, Any]], token: str | None) -> Answer:
    written: dict[str, Any] = {name: items} if items else {}
    return answered(written | ({"next_page_token": token} if token else {}))


_MODELS, _VERSIONS = "2.0/mlflow/registered-models", "2.0/mlflow/model-versions"

ROUTES = [
    Route("POST", f"{_MODELS}/create", create_model),
    Route("GET", f"{_MODELS}/get", get_model),
    Route("PATCH", f"{_MODELS}/update", update_model),
    Route("POST", f"{_MODELS}/rename", rename_model),
    Route("DELETE", f"{_MODELS}/delete", delete_model),
    Route("GET", f"{_MODELS}/search", search_models),
    Route("POST", f"{_MODELS}/get-latest-versions", latest_versions),
    Route("GET", f"{_MODELS}/get-latest-versions", latest_versions),
    Route("POST", f"{_MODELS}/set-tag", set_model_tag),
    Route("DELETE", f"{_MODELS}/delete-tag", delete_model_tag),
    Route("POST", f"{_MODELS}/alias", set_alias),
    Route("DELETE", f"{_MODELS}/alias", delete_alias),
    Route("GET", f"{_MODELS}/alias", version_by_alias),
    Route("POST", f"{_VERSIONS}/create", create_version, "slow"),
    Route("GET", f"{_VERSIONS}/get", get_version),
    Route("PATCH", f"{_VERSIONS}/update", update_version),
    Route("DELETE", f"{_VERSIONS}/delete", delete_version),
    Route("POST", f"{_VERSIONS}/transition-stage", transition_stage),
    Route("GET", f"{_VERSIONS}/get-download-uri", download_uri, "slow"),
    Route("GET", f"{_VERSIONS}/search", search_versions, "slow"),
    Route("POST", f"{_VERSIONS}/set-tag", set_version_tag),
    Route("DELETE", f"{_VERSIONS}/delete-tag", delete_version_tag),
]
