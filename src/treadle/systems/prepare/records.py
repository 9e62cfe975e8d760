"""The records that only prepare says: what rules found, rows in quarantine, incidents, contracts as they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
"""`error` refuses a row (or fails the table), `warning` and `info` only report."""

IncidentState = Literal["open", "muted", "recovered", "resolved"]
"""`recovered`: later landings were clean, and nobody has said so. `resolved`: somebody has."""


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
    skipped: str | None = None
    """Why the rule was not asked, if it was not; it then neither passed nor failed."""


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
    state: Literal["held", "released", "mended", "discarded", "cleaned"]
    actor: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """The refused rows of a dataset: how many are in each state, and a page of those that were asked for, oldest first.

    cleaned: passed when their dataset was cleaned anew. by_rule: those held, by the rule that refused them first. matching:
    how many the question finds on all pages. next: what to ask for after, or None on the last page.
    """

    dataset: str
    held: int = 0
    released: int = 0
    mended: int = 0
    discarded: int = 0
    cleaned: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)
    matching: int = 0
    rows: Sequence[QuarantinedRow] = ()
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """A rule, or a step of cleaning, in words."""

    id: str
    kind: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineSheet:
    """All that is known of one refused row."""

    dataset: str
    row: QuarantinedRow
    rules: Sequence[RuleText]
    landing: str
    snapshot: str | None
    contract: str | None
    contract_version: str | None
    run: str | None
    refused_at: datetime | None
    release: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What came of a release: rows that are back in the dataset, and those that still fail, with their rules.

    Of more than ten thousand rows the first are named; `n_released` and `n_still_held` count all.
    """

    landing: str | None
    rows: list[str]
    still_held: dict[str, list[str]]
    n_released: int = 0
    n_still_held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedRow:
    """A row before and after a mending. `raw` is its text, where it did not fit its columns."""

    id: str
    raw: str | None
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MendPreview:
    """What a mending would come to. by_rule: the rows that would still be held, by the first rule that holds them."""

    dataset: str
    passing: int
    still_held: int
    by_rule: dict[str, int]
    rows: Sequence[MendedRow]


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
    clean_landings: int
    first_landing: str | None
    last_landing: str | None
    assignee: str | None
    note: str | None
    fixing_run: str | None
    muted_until: datetime | None
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A landing that showed an incident's cause, the snapshot that it made, and how many rows it was about."""

    landing: str
    snapshot: str | None
    contract: str | None
    rows: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentComment:
    """What somebody said about an incident."""

    id: str
    actor: str
    text: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAct:
    """Something that was done about an incident: the kind of its event, who did it, and the facts."""

    kind: str
    actor: str
    facts: dict[str, Any]
    recorded_at: datetime
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentHistory:
    """Everything that is on record about an incident, each list oldest first."""

    incident: str
    occurrences: Sequence[Occurrence]
    acts: Sequence[IncidentAct]
    comments: Sequence[IncidentComment]


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
class TryContract:
    """Asks for a snapshot to be judged by a text that need not be published."""

    dataset: str
    text: str
    at: str | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindFailingRows:
    """Asks which rows fail. text: by this contract, else by the published one. rule: only of this rule."""

    dataset: str
    at: str | None = None
    text: str | None = None
    rule: str | None = None
    limit: int = 100
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow:
    """A row and a rule that it fails: its id (of a file's rows, none), its number from 0, the values the rule is about."""

    rule: str
    row: int
    id: str | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareContracts:
    """Asks what lies between two texts."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractText:
    """Asks about a text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuarantine:
    """Asks for refused rows. `state` None is all of them; `rule`, `landing` and `where` (SQL over their columns) narrow.

    after: the row with which the page before ended.
    """

    dataset: str
    state: str | None = "held"
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowQuarantined:
    """Asks for one refused row."""

    dataset: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSelection:
    """Which rows of a quarantine are meant: those named; else all that fit rule, landing and condition; or every one."""

    rows: Sequence[str] = ()
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRows:
    """Asks for rows to come back, as they are or mended: `mended` gives new values by row id and column.

    waived: by row id, the rules that do not hold this one row back, since somebody has looked at it and found it right.
    The rule stays as it is for every other row, and all other rules for this one. The row `*` stands for all that are meant.
    rule, landing, where, every: mean rows that are held, where none are named.
    """

    dataset: str
    reason: str
    rows: list[str] = field(default_factory=list)
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    every: bool = False
    mended: dict[str, dict[str, Any]] = field(default_factory=dict)
    waived: dict[str, list[str]] = field(default_factory=dict)
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MendRows:
    """Asks for rows to be mended, all in the same way, and to come back if they pass then.

    values: new values by column. set: SQL by column over the row's own values, such as `{"cups": "abs(cups)"}`. clean: by
    the steps of cleaning that the contract declares. waived: rules that do not hold these rows back. Rows as in ReleaseRows.
    """

    dataset: str
    reason: str
    rows: list[str] = field(default_factory=list)
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    every: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    set: dict[str, str] = field(default_factory=dict)
    clean: bool = False
    waived: list[str] = field(default_factory=list)
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRows:
    """Asks for rows to be given up. They stay in the quarantine, and the reason with them. Rows as in ReleaseRows."""

    dataset: str
    reason: str
    rows: list[str] = field(default_factory=list)
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenRows:
    """Asks for rows that were given up to be held again. Rows as in ReleaseRows, of those that are discarded."""

    dataset: str
    reason: str
    rows: list[str] = field(default_factory=list)
    rule: str | None = None
    landing: str | None = None
    where: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIncidents:
    """Asks for incidents; without a state, those that somebody has to look at: open and muted ones. `all` is every one."""

    dataset: str | None = None
    state: str | None = None
    assignee: str | None = None


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
    """Asks for an incident to be quiet: it goes on counting, and nobody is told. until: then it is open again."""

    id: str
    note: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentIncident:
    """Says something about an incident, for those who come later."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenIncident:
    """Asks for an incident that is over to be open again."""

    id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIncident:
    """Says that an incident is over, and which run mended it."""

    id: str
    note: str
    fixing_run: str | None = None
