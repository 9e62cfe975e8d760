"""The ODCS codec: what it reads, what it refuses, and how it says so."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treadle.wire.odcs import Contract, InvalidContract, Property, Quality, SchemaObject, decode, encode, metric_of

WEATHER = textwrap.dedent("""\
    apiVersion: v3.1.0
    kind: DataContract
    id: weather
    version: 1.0.0
    status: active
    description:
      purpose: Hourly weather at the three airports of New York.
      usage: |
        Wind above 200 mph is an instrument's fault.
        It is refused and looked at by a person.
    team:
      name: weather desk
      members:
        - username: ada
          role: owner
    schema:
      - name: weather
        properties:
          - name: origin
            logicalType: string
            required: true
            quality:
              - metric: invalidValues
                arguments: {validValues: [EWR, JFK, LGA]}
                mustBe: 0
          - name: wind_speed
            logicalType: number
            logicalTypeOptions: {minimum: 0, maximum: 200}
            quality:
              - type: custom
                engine: treadle
                implementation: {rule: range, maximum: 150}
                severity: warning
        quality:
          - metric: rowCount
            mustBeGreaterThan: 0
    slaProperties:
      - property: freshness
        value: 1
        unit: d
    """)


def problems(text: str) -> list[dict[str, object]]:
    with pytest.raises(InvalidContract) as caught:
        decode(text)
    return caught.value.context["problems"]  # type: ignore[return-value]


def test_a_contract_is_read_into_records() -> None:
    contract = decode(WEATHER)

    table = contract.table("weather")
    assert table is not None
    assert [column.name for column in table.properties] == ["origin", "wind_speed"]
    assert table.properties[0].required
    assert table.properties[1].logical_type_options.maximum == 200  # type: ignore[union-attr]
    assert contract.members()[0].username == "ada"


def test_what_is_written_is_read_back_equal() -> None:
    contract = decode(WEATHER)

    assert decode(encode(contract)) == contract


def test_an_unknown_field_is_named_with_line_path_and_a_near_name() -> None:
    [problem] = problems(WEATHER.replace("required: true", "requird: true"))

    assert problem["line"] == 21
    assert problem["path"] == "schema[0].properties[0].requird"
    assert "'required'" in str(problem["message"])


def test_all_problems_come_in_one_reading() -> None:
    text = WEATHER.replace("required: true", "requird: true").replace("logicalType: number", "logicalType: numbr")
    text = text.replace("mustBeGreaterThan: 0", "mustBeGreaterThan: many")

    assert [problem["line"] for problem in problems(text)] == [21, 27, 36]


def test_a_version_without_quotes_is_explained() -> None:
    [problem] = problems(WEATHER.replace("version: 1.0.0", "version: 1.0"))

    assert problem["line"] == 4
    assert "quotes" in str(problem["message"])


def test_a_missing_field_is_named() -> None:
    assert "'status' is missing" in str(problems(WEATHER.replace("status: active\n", ""))[0]["message"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mustBe: 0", "mustBe: 0\n            mustBeLessThan: 3", "one operator"),
        ("metric: invalidValues", "metric: invalidValue", "invalidValues"),
        ("arguments: {validValues: [EWR, JFK, LGA]}", "description: none", "needs 'arguments'"),
        ("mustBeGreaterThan: 0", "mustBeBetween: [9, 1]", "above the upper bound"),
        ("- name: wind_speed", "- name: origin", "comes twice"),
        ("implementation: {rule: range, maximum: 150}", 'implementation: "[1"', "expected"),
        ("implementation: {rule: range, maximum: 150}", "description: x", "needs an 'engine'"),
        ("arguments: {validValues: [EWR, JFK, LGA]}", "arguments: {pattern: '('}", "no regular expression"),
    ],
)
def test_contradictions_are_refused(old: str, new: str, said: str) -> None:
    assert old in WEATHER

    assert any(said in str(problem["message"]) for problem in problems(WEATHER.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a: [1", "expected"),
        ("id: x\nid: y\n", "comes twice"),
        ("? [a, b]\n: 1\n", "plain text"),
        ("- 1\n", "object"),
        ("a: \x00", "control characters"),
    ],
)
def test_text_that_is_no_document_is_refused(text: str, said: str) -> None:
    assert said in str(problems(text)[0]["message"])


def test_nested_aliases_do_not_explode() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))

    assert "aliases" in str(problems(text)[0]["message"])


def test_a_tag_makes_no_object() -> None:
    text = WEATHER.replace("status: active", "status: !!python/object/apply:os.getcwd []")

    assert (problems(text)[0]["line"], problems(text)[0]["path"]) == (5, "status")


def test_the_older_names_of_metrics_are_understood() -> None:
    assert metric_of(Quality(rule="duplicateCount")) == "duplicateValues"
    assert metric_of(Quality(metric="rowCount")) == "rowCount"


def test_the_older_form_of_a_team_is_understood() -> None:
    text = WEATHER.replace(
        "team:\n  name: weather desk\n  members:\n    - username: ada\n      role: owner", "team:\n  - username: ada"
    )

    assert decode(text).members()[0].username == "ada"


prose = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | prose


@example(names=["\x85", "a\u2028b"], prose="\r\n ", valid=["\x85\n"])
@given(
    names=st.lists(names, unique=True, max_size=5),
    prose=prose,
    valid=st.lists(values, min_size=1, max_size=5),
)
def test_any_contract_survives_the_way_there_and_back(names: list[str], prose: str, valid: list[object]) -> None:
    rule = Quality(metric="invalidValues", arguments={"validValues": valid}, must_be=0, description=prose or None)
    table = SchemaObject(
        name="t", properties=[Property(name=name, logical_type="string", quality=[rule]) for name in names]
    )
    contract = Contract(id="c", version="1", status="draft", schema=[table])

    assert decode(encode(contract)) == contract
