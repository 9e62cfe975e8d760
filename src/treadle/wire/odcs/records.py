"""The parts of an Open Data Contract Standard document, as records.

Field names are the standard's own, in snake case; the text has them in camel case. What the standard defines and Treadle
has no use for yet (servers, price, roles, …) is kept as it came, so that reading and writing a contract loses nothing.
Source: bitol-io/open-data-contract-standard, versions 3.0.0 to 3.2.0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

LogicalType = Literal[
    "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map", "vector"
]
Dimension = Literal["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"]
Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"]


Count = Annotated[int, msgspec.Meta(ge=0)]

StableId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+$")]
"""A name that references can hold on to."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A part of a contract: frozen, compared by value, strict about names."""


class CustomProperty(Record, frozen=True, kw_only=True):
    property: str
    value: Any
    description: str | None = None
    id: StableId | None = None
    vendor: str | None = None


class AuthoritativeDefinition(Record, frozen=True, kw_only=True):
    url: str
    type: str
    description: str | None = None
    id: StableId | None = None


class Quality(Record, frozen=True, kw_only=True):
    """One quality rule. Exactly one operator (`must_be…`) says what is good of the figure that it measures."""

    id: StableId | None = None
    name: str | None = None
    description: str | None = None
    type: Literal["text", "library", "sql", "custom"] | None = None
    metric: str | None = None
    rule: str | None = None
    """The name that versions before 3.1 gave to `metric`."""
    arguments: dict[str, Any] | None = None
    unit: str | None = None
    """`rows` or `percent`: what the operator counts."""
    query: str | None = None
    engine: str | None = None
    implementation: str | dict[str, Any] | None = None
    dimension: Dimension | None = None
    severity: str | None = None
    business_impact: str | None = None
    method: str | None = None
    schedule: str | None = None
    scheduler: str | None = None
    valid_values: list[Any] | None = None
    must_be: Any = None
    must_not_be: Any = None
    must_be_greater_than: int | float | None = None
    must_be_greater_or_equal_to: int | float | None = None
    must_be_less_than: int | float | None = None
    must_be_less_or_equal_to: int | float | None = None
    must_be_between: tuple[int | float, int | float] | None = None
    must_not_be_between: tuple[int | float, int | float] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None

    @property
    def kind(self) -> str:
        """The type, said or not: what has a metric is of the library, and what has nothing to carry out is text."""
        return self.type or ("text" if self.metric is None and self.rule is None else "library")

    def operators(self) -> dict[str, Any]:
        """The operators that are given, by their field name."""
        return {name: value for name in OPERATORS if (value := getattr(self, name)) is not None}


OPERATORS = tuple(name for name in Quality.__struct_fields__ if name.startswith("must_"))


class TypeOptions(Record, frozen=True, kw_only=True):
    """What `logicalTypeOptions` may say; which of them fit depends on the logical type."""

    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    exclusive_minimum: int | float | str | bool | None = None
    exclusive_maximum: int | float | str | bool | None = None
    multiple_of: Annotated[float, msgspec.Meta(gt=0)] | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    pattern: str | None = None
    format: str | None = None
    min_items: Count | None = None
    max_items: Count | None = None
    unique_items: bool | None = None
    min_properties: Count | None = None
    max_properties: Count | None = None
    required: list[str] | None = None
    timezone: bool | None = None
    default_timezone: str | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    element_type: Literal["bfloat16", "binary", "float16", "float32", "float64", "int8", "uint8"] | None = None
    distance_metric: Literal["cosine", "dotProduct", "euclidean", "hamming", "manhattan"] | None = None
    embedding_model: str | None = None
    embedding_model_version: str | None = None
    normalized: bool | None = None


class EnumValue(Record, frozen=True, kw_only=True):
    """One value that a property may have."""

    value: str | int | float | bool | None
    label: str | None = None
    id: StableId | None = None
    description: str | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    tags: list[str] | None = None


class Synonym(Record, frozen=True, kw_only=True):
    """Another word for the same thing."""

    synonym: str
    id: StableId | None = None
    description: str | None = None
    locale: str | None = None
    source: str | None = None
    status: str | None = None
    custom_properties: list[CustomProperty] | None = None


class VerifiedStatement(Record, frozen=True, kw_only=True):
    question: str
    id: str | None = None
    answer: str | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None


class Constraint(Record, frozen=True, kw_only=True):
    constraint: str
    id: str | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None


class Context(Record, frozen=True, kw_only=True):
    """What a reader that is a program should know before it uses the data."""

    instructions: str | None = None
    verified_statements: list[VerifiedStatement] | None = None
    constraints: list[Constraint] | None = None


class Relationship(Record, frozen=True, kw_only=True):
    """A foreign key: `to` is `dataset.column`; a composite key lists both sides."""

    id: str | None = None
    type: Literal["foreignKey"] = "foreignKey"
    to: str | Annotated[list[str], msgspec.Meta(min_length=1)]
    from_: str | Annotated[list[str], msgspec.Meta(min_length=1)] | None = msgspec.field(name="from", default=None)
    custom_properties: list[CustomProperty] | None = None


class Property(Record, frozen=True, kw_only=True):
    """One column, or one member of an object."""

    id: StableId | None = None
    name: str
    business_name: str | None = None
    description: str | None = None
    deprecated: bool = False
    synonyms: list[Synonym] | None = None
    semantic_type: Literal["column", "measure", "dimension"] | None = None
    logical_type: LogicalType | None = None
    logical_type_options: TypeOptions | None = None
    physical_type: str | None = None
    physical_name: str | None = None
    primary_key: bool = False
    primary_key_position: int | None = None
    required: bool = False
    unique: bool = False
    partitioned: bool | None = None
    partition_key_position: int | None = None
    classification: str | None = None
    critical_data_element: bool | None = None
    encrypted_name: str | None = None
    examples: list[Any] | None = None
    enum: Annotated[list[EnumValue], msgspec.Meta(min_length=1)] | None = None
    transform_source_objects: list[str] | None = None
    transform_logic: str | None = None
    transform_description: str | None = None
    relationships: list[Relationship] | None = None
    quality: list[Quality] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    properties: list[Property] | None = None
    items: Item | None = None
    map: Pair | None = None


class Item(Property, frozen=True, kw_only=True):
    """What every item of an array is; it needs no name."""

    name: str = ""


class Pair(Record, frozen=True, kw_only=True):
    """What the keys and the values of a map are."""

    key: Item
    value: Item


class SchemaObject(Record, frozen=True, kw_only=True):
    """One table."""

    id: StableId | None = None
    name: str
    business_name: str | None = None
    description: str | None = None
    deprecated: bool = False
    synonyms: list[Synonym] | None = None
    context: str | Context | None = None
    logical_type: Literal["object"] | None = None
    physical_type: str | None = None
    physical_name: str | None = None
    data_granularity_description: str | None = None
    properties: list[Property] = []
    relationships: list[Relationship] | None = None
    quality: list[Quality] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None


class Description(Record, frozen=True, kw_only=True):
    """Prose for people: what the data is for, what it is not for, and how to treat it."""

    purpose: str | None = None
    limitations: str | None = None
    usage: str | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    custom_properties: list[CustomProperty] | None = None


class Member(Record, frozen=True, kw_only=True):
    id: StableId | None = None
    username: str
    name: str | None = None
    description: str | None = None
    role: str | None = None
    date_in: str | None = None
    date_out: str | None = None
    replaced_by_username: str | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None


class Team(Record, frozen=True, kw_only=True):
    """Who answers for the data. Versions before 3.1 wrote the members alone."""

    id: StableId | None = None
    name: str | None = None
    description: str | None = None
    members: list[Member] = []
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None


class ServiceLevel(Record, frozen=True, kw_only=True):
    """One promise, such as `property: freshness, value: 1, unit: d`."""

    property: str
    value: str | int | float | bool | None
    id: StableId | None = None
    value_ext: str | int | float | bool | None = None
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    description: str | None = None
    scheduler: str | None = None
    schedule: str | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None


class Channel(Record, frozen=True, kw_only=True):
    """Where to ask: a chat, a mailbox, a board."""

    channel: str
    id: StableId | None = None
    url: str | None = None
    description: str | None = None
    tool: str | None = None
    scope: str | None = None
    invitation_url: str | None = None
    custom_properties: list[CustomProperty] | None = None


class Role(Record, frozen=True, kw_only=True):
    """A role that gives access."""

    role: str
    id: StableId | None = None
    description: str | None = None
    access: str | None = None
    first_level_approvers: str | None = None
    second_level_approvers: str | None = None
    custom_properties: list[CustomProperty] | None = None


class Price(Record, frozen=True, kw_only=True):
    id: StableId | None = None
    price_amount: int | float | None = None
    price_currency: str | None = None
    price_unit: str | None = None


class Contract(Record, frozen=True, kw_only=True):
    """A data contract, ODCS v3."""

    api_version: Literal["v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0"] = "v3.2.0"
    kind: Literal["DataContract"] = "DataContract"
    id: str
    version: str
    status: str = "draft"
    name: str | None = None
    domain: str | None = None
    data_product: str | None = None
    tenant: str | None = None
    description: Description | None = None
    context: str | Context | None = None
    schema: list[SchemaObject] = []
    team: Team | list[Member] | None = None
    sla_default_element: str | None = None
    sla_properties: list[ServiceLevel] | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[AuthoritativeDefinition] | None = None
    contract_created_ts: str | None = None
    servers: list[dict[str, Any]] | None = None
    support: list[Channel] | None = None
    price: Price | None = None
    roles: list[Role] | None = None

    def table(self, name: str) -> SchemaObject | None:
        """The table of that name (or physical name), or the only one when there is just one."""
        for candidate in self.schema:
            if name in (candidate.name, candidate.physical_name):
                return candidate
        return self.schema[0] if len(self.schema) == 1 else None

    def members(self) -> list[Member]:
        """Who answers for the data, however the contract's version writes it."""
        return self.team.members if isinstance(self.team, Team) else self.team or []
