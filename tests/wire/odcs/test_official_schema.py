"""The codec against the standard's own JSON schema (3.2.0): documents are judged alike, but for differences that are listed.

Whatever Treadle takes for a contract the official schema takes too, and whatever Treadle writes. The other way round Treadle
refuses some documents that the schema lets pass: each kind is in `STRICTER`, with the reason.
"""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.wire.odcs import Contract, InvalidContract, decode, encode

_PACKAGE = importlib.util.find_spec("open_data_contract_standard")
assert _PACKAGE is not None, "open-data-contract-standard is not installed"
assert _PACKAGE.origin is not None
SCHEMA = json.loads((Path(_PACKAGE.origin).parent / "schema.json").read_text(encoding="utf-8"))
OFFICIAL = jsonschema.Draft201909Validator(SCHEMA)
EXAMPLES = Path(__file__).parents[3] / "examples"

FULL = yaml.safe_load("""
apiVersion: v3.2.0
kind: DataContract
id: orders
version: 2.1.0
status: active
name: Orders
domain: sales
dataProduct: shop
tenant: acme
description:
  purpose: What customers ordered.
  limitations: Test orders are in it.
  usage: Join with customers.
context: {instructions: Ask by day., constraints: [{constraint: one currency}], verifiedStatements: [{question: "How many?"}]}
tags: [gold]
servers:
  - {server: lake, type: s3, location: "s3://bucket/orders", format: parquet}
  - {server: base, type: postgres, host: db, port: 5432, database: shop, schema: public, environment: prod}
  - {server: here, type: local, path: ./orders.parquet, format: parquet}
schema:
  - name: orders
    physicalName: t_orders
    physicalType: table
    logicalType: object
    dataGranularityDescription: one row an order
    deprecated: false
    synonyms: [{synonym: purchases, locale: en}]
    relationships:
      - {from: [orders.customer, orders.shop], to: [customers.id, customers.shop]}
      - {type: foreignKey, from: orders.shop, to: shops.id}
    properties:
      - {name: id, logicalType: integer, physicalType: bigint, primaryKey: true, primaryKeyPosition: 1, required: true,
         logicalTypeOptions: {minimum: 1, format: i64, multipleOf: 1}}
      - {name: customer, logicalType: string, unique: false, classification: internal, criticalDataElement: true,
         relationships: [{to: customers.id}, {to: schema/customers/properties/id}],
         logicalTypeOptions: {minLength: 1, maxLength: 20, pattern: "^C", format: uuid}}
      - name: status
        logicalType: string
        semanticType: dimension
        enum: [{value: open, label: Open}, {value: paid}, {value: 3}]
        examples: [open, paid]
        quality:
          - {metric: invalidValues, arguments: {validValues: [open, paid]}, mustBe: 0, dimension: conformity,
             severity: error, businessImpact: none can be shipped, schedule: 0 20 * * *, scheduler: cron, method: counted}
          - {type: text, description: Ask the desk when in doubt.}
      - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1000000.5, format: f64},
         customProperties: [{property: unit, value: EUR, vendor: treadle}],
         quality: [{metric: nullValues, unit: percent, mustBeLessThan: 5}, {metric: duplicateValues, mustBeBetween: [0, 9]}]}
      - {name: day, logicalType: date, logicalTypeOptions: {minimum: "2013-01-01", exclusiveMaximum: "2030-01-01"}}
      - {name: at, logicalType: timestamp, logicalTypeOptions: {timezone: true, defaultTimezone: Etc/UTC}}
      - {name: lines, logicalType: array, logicalTypeOptions: {minItems: 1, uniqueItems: true},
         items: {logicalType: object, properties: [{name: sku, logicalType: string}]}}
      - {name: address, logicalType: object, properties: [{name: zip, logicalType: string, required: true}],
         logicalTypeOptions: {minProperties: 1, required: [zip]}}
      - {name: attributes, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: number}}}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 3, elementType: float32, normalized: true}}
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0, description: something is there}
      - {type: sql, query: "select count(*) from ${table}", mustBeGreaterOrEqualTo: 1}
      - {type: custom, engine: treadle, implementation: {rule: check, sql: amount > 0}}
      - {type: custom, engine: soda, implementation: "duplicate_percent(id) < 1"}
      - {description: no type at all}
support:
  - {channel: "#orders", url: "https://chat.example.org", tool: slack, scope: issues, description: daily, invitationUrl: "https://x.org"}
price: {priceAmount: 9.95, priceCurrency: EUR, priceUnit: month}
team:
  name: sales desk
  members: [{username: ada, role: owner, name: Ada, dateIn: "2024-01-01", replacedByUsername: bob}]
roles: [{role: reader, access: read, firstLevelApprovers: ada}]
slaDefaultElement: orders.at
slaProperties:
  - {property: freshness, value: 1, unit: d, element: orders.at, driver: operational}
  - {property: retention, value: 3, unit: y, valueExt: 5}
  - {property: frequency, value: null}
authoritativeDefinitions: [{url: "https://wiki.example.org", type: businessDefinition}]
customProperties: [{property: cleaning, value: [trim the status, "ask before refunds"]}]
contractCreatedTs: "2024-01-01T00:00:00Z"
""")

STRICTER: dict[str, str] = {
    "'logicalType' is missing": "the schema lets a property without a type pass where it has a 'map'",
    "belongs to properties of type": "the same, where it has 'items' or 'map' and no type",
    "comes twice": "two tables, columns or keys of one name: a rule would not know which is meant",
    "above the upper bound": "no figure can be between 9 and 1",
    "is not known": "a misspelt field of the description would be ignored without a word; an unknown metric never runs",
    "no regular expression": "the rule could never be asked",
    "needs 'arguments'": "a metric without its arguments measures nothing",
    "needs the list": "a metric without its arguments measures nothing",
    "as many columns": "a composite key has as many columns on either side",
    "expected": "an implementation of the engine treadle that is no mapping; 1.0 where a whole number is asked",
    "invalid enum value": "versions 2 of the standard are another format",
    "belongs to rules of type": "a metric in a rule of type text or custom: one of the two is a mistake",
    "implementation must be a mapping": "the engine treadle could not carry it out",
    "the document is empty": "an implementation of the engine treadle that is empty",
}
"""What Treadle refuses and the schema lets pass, by the words of the refusal."""


def official(document: Any) -> list[str]:
    return [error.message[:200] for error in OFFICIAL.iter_errors(document)]


def ours(document: Any) -> list[str]:
    try:
        contract = decode(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    except InvalidContract as error:
        return [problem["message"] for problem in error.context["problems"]]  # type: ignore[attr-defined]
    assert isinstance(contract, Contract)
    return []


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def around(place: tuple[str | int, ...]) -> tuple[Any, tuple[str | int, ...]]:
    """A document of little more than the place, and where the place is in it: the schema takes long over all of it."""
    head = {name: FULL[name] for name in ("apiVersion", "kind", "id", "version", "status")}
    if place[0] != "schema" or len(place) < 3:
        return {**head, place[0]: [{"name": "t"}] if place[0] == "schema" else FULL[place[0]]}, place
    table = {"name": "t", place[2]: FULL["schema"][0][place[2]]}
    if len(place) > 3 and isinstance(table[place[2]], list):
        table[place[2]] = [table[place[2]][place[3]]]
        place = (*place[:3], 0, *place[4:])
    return {**head, "schema": [table]}, place


PLACES = sorted(places(FULL), key=str)
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2.0,
    "",
    "x",
    "1",
    [],
    ["x"],
    [1, 2],
    {},
    {"x": 1},
    [None],
    [{}],
    [{"name": "x"}],
]
KEYS = [
    "x",
    "id",
    "name",
    "description",
    "metric",
    "query",
    "engine",
    "mustBe",
    "mustBeLessThan",
    "validValues",
    "rule",
]
KEYS += [
    "logicalTypeOptions",
    "minimum",
    "pattern",
    "required",
    "from",
    "to",
    "items",
    "map",
    "properties",
    "type",
    "value",
]


def changed(document: Any, place: tuple[str | int, ...], how: str, key: str, value: Any) -> Any:
    """The document with one part left out, replaced, or added to."""
    document = copy.deepcopy(document)
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    if how == "without":
        del parent[place[-1]]
    elif how == "other":
        parent[place[-1]] = value
    elif isinstance(parent[place[-1]], dict):
        parent[place[-1]][key] = value
    elif isinstance(parent[place[-1]], list):
        parent[place[-1]].append(value)
    return document


def compare(document: Any) -> None:
    theirs, found = official(document), ours(document)
    if theirs:
        assert found, f"Treadle takes what the schema refuses: {theirs}"
    elif found:
        unexplained = [message for message in found if not any(words in message for words in STRICTER)]
        assert not unexplained, f"Treadle refuses what the schema takes: {unexplained}"


def test_a_document_that_says_everything_is_taken_by_both() -> None:
    assert (official(FULL), ours(FULL)) == ([], [])


def test_what_is_written_of_it_is_valid_and_says_the_same() -> None:
    text = yaml.safe_dump(FULL)
    written = encode(decode(text))

    assert official(yaml.safe_load(written)) == []
    assert decode(written) == decode(text)


@settings(max_examples=250, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    how=st.sampled_from(["without", "other", "more"]),
    key=st.sampled_from(KEYS),
    value=st.sampled_from(VALUES),
)
def test_a_document_with_one_fault_is_judged_alike(
    place: tuple[str | int, ...], how: str, key: str, value: Any
) -> None:
    document, there = around(place)

    compare(changed(document, there, how, key, value))


@pytest.mark.parametrize(
    ("place", "how", "key"),
    [
        (("servers",), "other", ""),
        (("description",), "more", "engine"),
        (("schema", 0, "properties", 2, "examples"), "other", ""),
        (("schema", 0, "quality", 0), "more", "mustBe"),
        (("schema", 0, "properties", 3, "quality", 1), "more", "mustBe"),
    ],
)
def test_nothing_in_the_place_of_something_is_judged_alike(place: tuple[str | int, ...], how: str, key: str) -> None:
    document, there = around(place)

    compare(changed(document, there, how, key, None))


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.odcs.yaml")), ids=lambda path: path.stem)
def test_the_contracts_of_the_examples_are_valid(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert ours(document) == []
    assert official(document) == []


BEFORE = {**FULL, "apiVersion": "v3.1.0", "schema": [{"name": "t", "properties": [{"name": "a"}]}]}


@pytest.mark.parametrize(
    "document",
    [
        BEFORE,
        {**BEFORE, "apiVersion": "v3.0.2", "schema": [{"name": "t", "quality": [{"rule": "rowCount", "mustBe": 1}]}]},
    ],
)
def test_documents_of_older_versions_are_judged_by_their_own_version(document: Any) -> None:
    """The schema of 3.2.0 asks a logicalType of every property, and knows `rule` no more: those of before did."""
    assert ours(document) == []
    assert official(document) != []
