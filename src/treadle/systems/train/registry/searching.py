"""What a filter finds among models and versions; the tables described for the one grammar of searches.

Prompts are models as well, but whoever looks for models does not mean them: they are left out unless the filter itself
speaks of the label that makes a prompt.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from treadle.kernel.store import Reader
from treadle.systems.train.registry.records import PROMPT_TAG, ModelLine, ModelVersion
from treadle.systems.train.registry.repository import version_from
from treadle.systems.train.search.entities import Column, Entity, Keyed
from treadle.systems.train.search.finding import Found, Question, find_parsed
from treadle.systems.train.search.parsing import parse_filter, parse_orders
from treadle.systems.train.search.syntax import fields_of
from treadle.systems.train.search.vocabulary import ATTRIBUTE, Kind, Vocabulary

_WORDS = {**dict.fromkeys(("attribute", "attributes"), ATTRIBUTE), **dict.fromkeys(("tag", "tags"), "tag")}
_MISSING = {PROMPT_TAG: "false"}

MODELS = Entity(
    vocabulary=Vocabulary(
        noun="registered model",
        attributes={"name": "text", "creation_timestamp": "number", "last_updated_timestamp": "number"},
        kinds={"tag": Kind()},
        spellings=_WORDS,
        aliases={"timestamp": "last_updated_timestamp"},
    ),
    table="registered_model m",
    columns={
        "name": Column(sql="m.name", sort="text"),
        "creation_timestamp": Column(sql="m.created_ms", sort="number"),
        "last_updated_timestamp": Column(sql="m.updated_ms", sort="number"),
    },
    values={
        "tag": Keyed(
            table="model_tag",
            owner="{x}.project = m.project and {x}.line = m.line and {x}.number = 0",
            missing=_MISSING,
        )
    },
    ties=(("name", True),),
    default=("name ASC",),
)

VERSIONS = Entity(
    vocabulary=Vocabulary(
        noun="model version",
        attributes={
            "name": "text",
            "version_number": "number",
            "run_id": "text",
            "source_path": "text",
            "stage": "text",
            "digest": "text",
            "creation_timestamp": "number",
            "last_updated_timestamp": "number",
        },
        kinds={"tag": Kind()},
        spellings=_WORDS,
        aliases={"version": "version_number", "source": "source_path"},
    ),
    table="model_version v join registered_model m on m.project = v.project and m.line = v.line",
    columns={
        "name": Column(sql="m.name", sort="text"),
        "version_number": Column(sql="v.number", sort="number"),
        "run_id": Column(sql="v.run_id", sort="text", is_optional=True),
        "source_path": Column(sql="v.source", sort="text", is_optional=True),
        "stage": Column(sql="v.stage", sort="text"),
        "digest": Column(sql="v.digest", sort="text"),
        "creation_timestamp": Column(sql="v.created_ms", sort="number"),
        "last_updated_timestamp": Column(sql="v.updated_ms", sort="number"),
    },
    values={
        "tag": Keyed(
            table="model_tag",
            owner="{x}.project = v.project and {x}.line = v.line and {x}.number = v.number",
            missing=_MISSING,
        )
    },
    ties=(("name", True), ("version_number", False)),
    default=("last_updated_timestamp DESC", "name ASC", "version_number DESC"),
)

_NO_PROMPT = (
    "not exists (select 1 from model_tag p where p.project = {x}.project and p.line = {x}.line and p.number = {n} "
    f"and p.key = '{PROMPT_TAG}' and p.value = 'true')"
)
_LINE = tuple(f"m.{name}" for name in ModelLine.__slots__)
_VERSION = tuple("m.name" if name == "model" else f"v.{name}" for name in ModelVersion.__slots__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRegistry:
    """A filter, an order, and which page: at most `limit`, behind the page that gave `token`."""

    filter: str | None = None
    order_by: Sequence[str] = field(default_factory=list)
    limit: int = 100
    token: str | None = None


def find_models(reader: Reader, project: str, request: SearchRegistry) -> tuple[list[ModelLine], str | None]:
    """A page of models, and the token of the next. Raises SearchInvalid."""
    scope = "m.project = :project and m.deleted_at is null"
    found = _find(reader, MODELS, _question(project, request, _LINE, scope), _NO_PROMPT.format(x="m", n="0"))
    return [ModelLine(**dict(zip(ModelLine.__slots__, row, strict=True))) for row in found.rows], found.token


def find_versions(reader: Reader, project: str, request: SearchRegistry) -> tuple[list[ModelVersion], str | None]:
    """A page of versions, and the token of the next. Raises SearchInvalid."""
    scope = "v.project = :project and v.deleted_at is null"
    question = _question(project, request, _VERSION, scope)
    found = _find(reader, VERSIONS, question, _NO_PROMPT.format(x="v", n="v.number"))
    return [version_from(row) for row in found.rows], found.token


def _question(project: str, request: SearchRegistry, columns: Sequence[str], scope: str) -> Question:
    return Question(
        columns=columns,
        scope=scope,
        parameters={"project": project},
        filter=request.filter,
        order_by=request.order_by,
        limit=request.limit,
        token=request.token,
        seal=project,
    )


def _find(reader: Reader, entity: Entity, question: Question, no_prompt: str) -> Found:
    condition = parse_filter(question.filter, entity.vocabulary)
    orders = parse_orders(question.order_by or entity.default, entity.vocabulary)
    speaks_of_prompts = any(one.kind == "tag" and one.key == PROMPT_TAG for one in fields_of(condition))
    if not speaks_of_prompts:
        question = replace(question, conditions=(no_prompt,))
    return find_parsed(reader, entity, question, condition, orders)
