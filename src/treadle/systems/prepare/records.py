"""The records that only prepare says: what rules found, rows in quarantine, incidents, contracts as they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
"""`error` refuses a row (or fails the table), `warning` and `info` only report."""

IncidentState = Literal["open", "muted", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one rule found. `failed` counts rows, or is 1 for a rule about the table that does not hold."""

    rule: str
    kind: str
    severity: Severity
    dimension: str
    columns: Sequence[str]
    evaluated: int
    failed: int
    passed: bool
    observed: Any = None
    """What a rule about the table measured: a count, a share, an age in seconds."""
    examples: Sequence[str] = ()
    """The first failing rows, as row ids."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What a contract says of some rows. `passed` is False when a rule of severity error does not hold."""

    id: str
    dataset: str
    contract: str
    contract_version: str
    snapshot: str | None
    landing: str | None
    run: str | None
    passed: bool
    rows: int
    refused: int
    results: Sequence[RuleResult]
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedContract:
    """A contract under the ref `contract/<dataset>`. `text` is what was published, to the letter."""

    dataset: str
    digest: str
    version: str
    status: str
    owner: str | None
    rules: int
    text: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """A refused row: its id, the rules that refused it, its values, and what was decided about it."""

    id: str
    rules: list[str]
    raw: str | None
    values: dict[str, Any]
    state: Literal["held", "released", "mended", "discarded"]
    actor: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """The rows that are held for a dataset, the newest landing last."""

    dataset: str
    held: int
    released: int
    mended: int
    discarded: int
    by_rule: dict[str, int]
    rows: list[QuarantinedRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What came of a release: rows that are back in the dataset, and those that still fail, with their rules."""

    landing: str | None
    rows: list[str]
    still_held: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One cause of trouble with one dataset: opened once, however many rows and landings show it."""

    id: str
    dataset: str
    rule: str
    cause: str
    contract: str | None
    severity: Severity
    state: IncidentState
    title: str
    rows: int
    occurrences: int
    first_landing: str | None
    last_landing: str | None
    assignee: str | None
    note: str | None
    fixing_run: str | None
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFor:
    """Asks about the contract of a dataset."""

    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishContract:
    """Asks for a contract to hold from now on. `text` is ODCS v3 YAML."""

    dataset: str
    text: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDataset:
    """Asks for a snapshot to be judged. `now` is the present that freshness is measured against."""

    dataset: str
    at: str | None = None
    now: datetime | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuarantine:
    """Asks for refused rows. `state` None is all of them; `rule` narrows to one rule."""

    dataset: str
    state: str | None = "held"
    rule: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRows:
    """Asks for rows to come back, as they are or mended: `mended` gives new values by row id and column.

    waived: by row id, the rules that do not hold this one row back, since somebody has looked at it and found it right.
    The rule stays as it is for every other row, and all other rules for this one.
    """

    dataset: str
    rows: list[str]
    reason: str
    mended: dict[str, dict[str, Any]] = field(default_factory=dict)
    waived: dict[str, list[str]] = field(default_factory=dict)
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRows:
    """Asks for rows to be given up. They stay in the quarantine, and the reason with them."""

    dataset: str
    rows: list[str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIncidents:
    """Asks for incidents; without a state, those that are not resolved."""

    dataset: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowIncident:
    """Asks for one incident."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignIncident:
    """Asks for an incident to be somebody's."""

    id: str
    assignee: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteIncident:
    """Asks for an incident to be quiet: it goes on counting, and nobody is told."""

    id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIncident:
    """Says that an incident is over, and which run mended it."""

    id: str
    note: str
    fixing_run: str | None = None
