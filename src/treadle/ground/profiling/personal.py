"""Possible personal data: what a column's values look like and what it is called, with share and certainty.

A finding says that somebody should look; it proves nothing, and its absence proves nothing either, since only a sample
is looked at. Values are never kept: a column with a finding keeps counts, lengths and patterns, and no value of its own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

PersonalKind = Literal[
    "email", "phone", "iban", "card", "ip", "national_id", "postal_code", "person_name", "birth_date", "address"
]
Certainty = Literal["low", "medium", "high"]

CHECKED = 1000
"""Values at most whose checksum is computed; of more candidates, so many evenly spaced ones."""

LEAST_SHARE = 0.001
"""Fewer values than this of a column make no finding, unless the column's name says the same."""

_CHANCE: dict[PersonalKind, float] = {"card": 0.4, "iban": 0.4}
"""Of candidates, what share must pass the checksum: by chance a tenth of all digits pass Luhn's, one in 97 an IBAN's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Possible personal data of one kind in one column.

    hits: about how many rows; seen: how many values were looked at; by_name: whether the column's name says so too.
    """

    kind: PersonalKind
    hits: int
    seen: int
    by_name: bool = False

    def share(self, present: int) -> float:
        """The share of the values that are there."""
        return min(1.0, self.hits / present) if present else 0.0

    def certainty(self, present: int) -> Certainty:
        """How likely it is that this is what it looks like."""
        share = self.share(present)
        if self.kind in ("email", "iban", "card"):
            return "high" if share >= 0.05 or self.by_name else "medium"
        if self.kind in ("ip", "phone", "national_id"):
            return "high" if self.by_name and share >= 0.5 else "medium" if share >= 0.5 or self.by_name else "low"
        return "medium" if self.by_name and share >= 0.5 else "low"


def named(column: str) -> PersonalKind | None:
    """The kind that a column's name speaks of."""
    words = _WORD_ENDS.sub("_", column).lower()
    return next((kind for kind, pattern in _NAMES if pattern.search(words)), None)


def of_texts(column: str, sample: pl.Series, present: int) -> tuple[Finding, ...]:
    """What a sample of a text column's values (no nulls) looks like; `present` is how many values the column has."""
    by_name = named(column)
    if not sample.len():
        return ()
    hits = _text_hits(sample, by_name)
    if by_name is not None and by_name not in _BY_VALUE:
        hits.setdefault(by_name, sample.len())
    least = max(1.0, LEAST_SHARE * sample.len())
    return tuple(
        Finding(kind=kind, hits=max(1, round(n * present / sample.len())), seen=sample.len(), by_name=kind == by_name)
        for kind, n in sorted(hits.items())
        if n >= least or (n and kind == by_name)
    )


def of_integers(column: str, sample: NDArray[np.int64], present: int) -> tuple[Finding, ...]:
    """What a sample of integers looks like: numbers of cards by their checksum, others by the column's name alone."""
    by_name = named(column)
    if not sample.size:
        return ()
    found: dict[PersonalKind, int] = {}
    if by_name in ("phone", "national_id", "postal_code", "birth_date"):
        found[by_name] = sample.size
    long = sample[(sample >= 10**12) & (sample < 10**16)]
    if long.size:
        found |= _checked("card", [str(value) for value in _spaced(long).tolist()], long.size, is_card)
    return tuple(
        Finding(kind=kind, hits=max(1, round(n * present / sample.size)), seen=sample.size, by_name=kind == by_name)
        for kind, n in sorted(found.items())
        if n >= LEAST_SHARE * sample.size
    )


def of_times(column: str, present: int) -> tuple[Finding, ...]:
    """A date of birth, by the column's name."""
    if named(column) != "birth_date" or not present:
        return ()
    return (Finding(kind="birth_date", hits=present, seen=present, by_name=True),)


def merged(parts: Sequence[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """The findings of all parts together, by kind."""
    total: dict[PersonalKind, Finding] = {}
    for finding in (finding for part in parts for finding in part):
        known = total.get(finding.kind)
        total[finding.kind] = (
            finding if known is None else replace(known, hits=known.hits + finding.hits, seen=known.seen + finding.seen)
        )
    return tuple(total[kind] for kind in sorted(total))


def looks_personal(value: str) -> bool:
    """Whether one text looks like an address, a number of a card or the like: such a value is kept nowhere."""
    return bool(_EMAIL.search(value) or _PHONE.match(value) or _SOCIAL.match(value)) or is_card(value) or is_iban(value)


def is_card(text: str) -> bool:
    """Whether digits pass the checksum of payment cards. Source: ISO/IEC 7812-1, Luhn's formula."""
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"[2-6]\d{12,18}", digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Whether a text passes the checksum of international bank accounts. Source: ISO 13616, ISO 7064 mod 97-10."""
    plain = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_ip(text: str) -> bool:
    """Whether a text is an address of the Internet, of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"^(?:\+|00)[1-9][0-9 ()/.-]{6,20}$")
_SOCIAL = re.compile(r"^\d{3}-\d{2}-\d{4}$")
_LOOSE_PHONE = r"^\(?[0-9][0-9 ()/.-]{5,20}$"
_POSTAL = r"^(?:[A-Z]{1,2}-)?(?:\d{4,6}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)$"
_BY_VALUE = frozenset(("email", "phone", "iban", "card", "ip", "national_id", "postal_code"))
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

_WORDS: tuple[tuple[PersonalKind, str], ...] = (
    ("email", "e?_?mails?|e_?mail_?addr(?:ess)?|courriel"),
    (
        "phone",
        "(?:tele)?phones?|(?:tele)?phone_?n(?:o|um|umber)|mobile|cell_?phone|telefon|handy|tel|telephone|fax",
    ),
    ("iban", "iban|bank_?account|konto_?(?:nummer|nr)?"),
    ("card", "(?:credit_?)?card_?(?:no|num|number)|pan|kreditkarte"),
    ("ip", "ip|ip_?addr(?:ess)?|client_?ip|remote_?addr"),
    (
        "national_id",
        "ssn|social_?security(?:_?(?:no|number))?|passport(?:_?(?:no|number))?|national_?id|tax_?id|steuer_?id|nir|dni",
    ),
    ("birth_date", "dob|birth_?da(?:te|y)|date_?of_?birth|birth|geburts_?(?:datum|tag)|geboren|date_?naissance"),
    (
        "person_name",
        "(?:first|last|middle|full|given|family|maiden|sur|nick)_?names?|surname|fore_?name|vorname|nachname|"
        "familien_?name|prenom|apellidos?|(?:customer|patient|employee|person|contact|user)_?name|username",
    ),
    ("address", "street|street_?(?:name|address)|(?:home|postal|mailing)_?address|strasse|adresse|address"),
    ("postal_code", "zip|zip_?code|post_?code|postal_?code|plz|postleitzahl|code_?postal"),
)
_NAMES = tuple((kind, re.compile(rf"(?:^|_)(?:{words})(?:_|$)")) for kind, words in _WORDS)


def _text_hits(sample: pl.Series, by_name: PersonalKind | None) -> dict[PersonalKind, int]:
    text = sample.rename("v").to_frame()
    value = pl.col("v")
    marks = text.select(
        at=value.str.contains("@", literal=True).sum(),
        digits=value.str.contains(r"^\+?[0-9(]").sum(),
        iban=value.str.contains(r"^[A-Za-z]{2}\d{2}").sum(),
        colon=value.str.contains(r"^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$").sum(),
    ).row(0, named=True)
    found: dict[PersonalKind, int] = {}
    if marks["at"]:
        found["email"] = int(text.select(value.str.contains(_EMAIL.pattern).sum()).item())
    if marks["digits"]:
        found |= _digit_hits(text.filter(value.str.contains(r"^\+?[0-9(]")), by_name)
    if marks["iban"]:
        found |= _candidates("iban", text, r"^[A-Za-z]{2}\d{2} ?[A-Za-z0-9 ]{11,38}$", is_iban)
    if marks["colon"]:
        found["ip"] = found.get("ip", 0) + _candidates("ip", text, r"^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$", is_ip).get(
            "ip", 0
        )
    if by_name == "postal_code":
        found["postal_code"] = int(text.select(value.str.contains(_POSTAL).sum()).item())
    return {kind: n for kind, n in found.items() if n}


def _digit_hits(text: pl.DataFrame, by_name: PersonalKind | None) -> dict[PersonalKind, int]:
    phone = _LOOSE_PHONE if by_name == "phone" else _PHONE.pattern
    value = pl.col("v")
    counted = text.select(
        phone=(value.str.contains(_PHONE.pattern) | value.str.contains(phone)).sum(),
        national_id=value.str.contains(_SOCIAL.pattern).sum(),
    ).row(0, named=True)
    found: dict[PersonalKind, int] = {"phone": counted["phone"], "national_id": counted["national_id"]}
    found |= _candidates("ip", text, r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$", is_ip)
    found |= _candidates("card", text, r"^[2-6]\d{3}(?:[ -]?\d){9,15}$", is_card)
    return found


def _candidates(
    kind: PersonalKind, text: pl.DataFrame, pattern: str, check: Callable[[str], bool]
) -> dict[PersonalKind, int]:
    matching = text.filter(pl.col("v").str.contains(pattern))["v"]
    return _checked(kind, _spaced(matching.to_numpy()).tolist(), matching.len(), check) if matching.len() else {}


def _checked(
    kind: PersonalKind, values: Sequence[str], of: int, check: Callable[[str], bool]
) -> dict[PersonalKind, int]:
    """How many of so many candidates pass, from those that are checked; none where chance alone would do as well."""
    passed = sum(check(value) for value in values) / len(values)
    return {kind: round(passed * of)} if passed > _CHANCE.get(kind, 0.0) else {}


def _spaced(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values[:: max(1, -(-values.size // CHECKED))]
