"""Possible personal data is found by what values look like and what columns are called, and is kept nowhere."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from treadle.ground import profiling
from treadle.ground.profiling import ColumnProfile, merge, profile
from treadle.ground.profiling.personal import is_card, is_iban, named

PLAIN = [f"order {k}" for k in range(500)]


def column(values: list[object], name: str = "c") -> ColumnProfile:
    return profile(pl.DataFrame({name: values})).columns[0]


def luhn(prefix: str) -> str:
    return next(prefix + str(digit) for digit in range(10) if is_card(prefix + str(digit)))


@pytest.mark.parametrize(
    ("name", "values", "kind", "certainty"),
    [
        ("contact", [f"ada{k}@example.org" for k in range(300)], "email", "high"),
        ("note", [*PLAIN, "please write to ada@example.org soon"], "email", "medium"),
        ("c", [f"+49 30 90{k:05d}" for k in range(300)], "phone", "medium"),
        ("phone", [f"(030) 90{k:05d}" for k in range(300)], "phone", "high"),
        ("c", ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"] * 20, "iban", "high"),
        ("c", [luhn(f"400000{k:09d}") for k in range(200)], "card", "high"),
        ("c", [int(luhn(f"510000{k:09d}")) for k in range(200)], "card", "high"),
        ("c", [f"10.0.{k}.{k}" for k in range(200)], "ip", "medium"),
        ("client_ip", [f"2001:db8::{k:x}" for k in range(200)], "ip", "high"),
        ("c", [f"{k:03d}-12-3456" for k in range(100, 300)], "national_id", "medium"),
        ("zip", [f"{k:05d}" for k in range(10000, 10200)], "postal_code", "medium"),
        ("plz", list(range(10000, 10200)), "postal_code", "medium"),
        ("lastName", ["Byron", "Curie"] * 50, "person_name", "medium"),
        ("Straße_street", ["Unter den Linden 1"] * 9, "address", "medium"),
        ("date_of_birth", [date(1990, 1, 1)] * 9, "birth_date", "medium"),
    ],
)
def test_possible_personal_data_is_found_and_its_values_are_not_kept(name, values, kind, certainty):
    found = column(values, name)

    [(finding, share, how_certain)] = found.findings_with_shares(len(values))
    assert (finding.kind, how_certain) == (kind, certainty)
    assert 0.0 < share <= 1.0
    assert (found.values, found.numbers) == (None, None)
    kept = profiling.encode(profile(pl.DataFrame({name: values})))
    assert not any(str(value).encode() in kept for value in values if len(str(value)) > 4)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("order", PLAIN),
        ("day", ["2024-01-01", "2024-12-31"] * 100),
        ("number", [4_000_000_000_000_000 + k for k in range(500)]),  # a tenth of them pass Luhn's formula, by chance
        ("tail_number", [f"N{k}" for k in range(500)]),
        ("name", ["Boeing", "Airbus"] * 100),
        ("version", ["1.2.3", "10.20.30"] * 50),
        ("ratio", ["0.5", "12:30"] * 50),
        ("airport_code", ["GB82", "DE89"] * 50),
    ],
)
def test_what_only_looks_a_little_like_it_is_left_alone(name, values):
    assert column(values, name).findings == ()


@pytest.mark.parametrize(
    ("text", "is_one"), [("4111 1111 1111 1111", True), ("4111 1111 1111 1112", False), ("41", False)]
)
def test_cards_are_known_by_their_checksum(text, is_one):
    assert is_card(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"), [("GB82WEST12345698765432", True), ("GB82WEST12345698765433", False), ("ZZ", False)]
)
def test_bank_accounts_are_known_by_their_checksum(text, is_one):
    assert is_iban(text) is is_one


def test_names_are_read_in_every_spelling():
    assert named("emailAddress") == named("E-Mail") == named("user_email") == "email"
    assert named("dateOfBirth") == named("Geburtsdatum") == named("DOB") == "birth_date"
    assert named("carrier") is named("shipping_cost") is named("panel") is None


def test_a_rare_address_is_not_kept_as_a_value_even_where_it_makes_no_finding():
    found = column([*["a", "b"] * 5000, "ada@example.org"])

    assert b"ada@example.org" not in profiling.encode(
        profile(pl.DataFrame({"c": [*["a", "b"] * 5000, "ada@example.org"]}))
    )
    assert set(found.values.values if found.values else ()) <= {"a", "b"}


def test_one_part_with_personal_data_withholds_the_values_of_all():
    clean, personal = profile(pl.DataFrame({"c": ["AA", "UA"]})), profile(pl.DataFrame({"c": ["ada@example.org"] * 2}))

    found = merge([clean, personal]).columns[0]

    assert found.is_withheld
    assert found.values is None
    assert found.distinct == 3
