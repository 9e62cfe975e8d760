"""A contract as a document for people: every rule in words, whom to ask, what is promised, what was last found.

Data only; the faces draw it, and the API hands it out as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from treadle.ground.errors import InvalidInput
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.records import PublishedContract, QualityReport, RuleResult
from treadle.systems.prepare.rules import ROW_KINDS, Rule
from treadle.wire.odcs import Contract, Property, Quality, SchemaObject


@dataclass(frozen=True, slots=True, kw_only=True)
class PageColumn:
    """A column. `notes` are facts in a few words: key, required, classification, deprecated."""

    name: str
    type: str
    unit: str | None
    description: str
    notes: Sequence[str] = ()
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRule:
    """A rule in words, and what was last found of it; `outcome` is None where it was never asked."""

    id: str
    says: str
    about: str
    severity: str
    dimension: str
    effect: str
    business_impact: str = ""
    schedule: str = ""
    outcome: str | None = None
    failed: int = 0
    observed: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePromise:
    """A service level. `kept` says whether the last report found it so; None where nothing measures it."""

    property: str
    promise: str
    element: str
    description: str
    kept: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePerson:
    name: str
    role: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChannel:
    channel: str
    url: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReport:
    """One report: `passed_share` is the share of rules that held, 0 to 1."""

    at: datetime
    version: str
    rows: int
    passed: bool
    passed_share: float
    failed_rules: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVersion:
    version: str
    at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPage:
    """Everything that a reader of a contract should see."""

    dataset: str
    title: str
    version: str
    status: str
    digest: str
    domain: str
    owner: str | None
    purpose: str
    limitations: str
    guidelines: Sequence[str]
    """How the data is cleaned, in prose: the usage, and every rule of type text."""
    granularity: str
    tags: Sequence[str]
    columns: Sequence[PageColumn]
    rules: Sequence[PageRule]
    promises: Sequence[PagePromise]
    people: Sequence[PagePerson]
    channels: Sequence[PageChannel]
    links: Mapping[str, str] = field(default_factory=dict)
    last: PageReport | None = None
    reports: Sequence[PageReport] = ()
    """The newest last."""
    versions: Sequence[PageVersion] = ()


_TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(), "integer": pl.Int64(), "number": pl.Float64(), "boolean": pl.Boolean(), "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"), "time": pl.Time(),
}  # fmt: skip


def page_of(
    contract: Contract,
    dataset: str,
    digest: str,
    schema: pl.Schema | None,
    reports: Sequence[QualityReport],
    history: Sequence[PublishedContract],
) -> ContractPage:
    """The page. Without a schema of rows, rules are read as the contract declares its columns."""
    table = contract.table(dataset)
    assert table is not None
    said = contract.description
    last = {result.rule: result for result in reports[0].results} if reports else {}
    found = [_report(report) for report in reversed(reports)]
    members = contract.members()
    owners = [one.username for one in members if (one.role or "").lower().endswith("owner")]
    return ContractPage(
        dataset=dataset,
        title=contract.name or table.business_name or dataset,
        version=contract.version,
        status=contract.status,
        digest=digest,
        domain=contract.domain or "",
        owner=next(iter(owners or [one.username for one in members]), None),
        purpose=(said.purpose if said else None) or table.description or "",
        limitations=(said.limitations if said else None) or "",
        guidelines=list(_guidelines(contract, table)),
        granularity=table.data_granularity_description or "",
        tags=[*(contract.tags or []), *(table.tags or [])],
        columns=[_column(column) for column in table.properties],
        rules=_rules(contract, dataset, table, schema, last),
        promises=[_promise(level, last) for level in contract.sla_properties or []],
        people=[
            PagePerson(name=one.name or one.username, role=one.role or "", description=one.description or "")
            for one in members
            if not one.date_out
        ],
        channels=[
            PageChannel(channel=one.channel, url=one.url, description=one.description or one.scope or "")
            for one in contract.support or []
        ],
        links={link.type: link.url for link in contract.authoritative_definitions or []},
        last=found[-1] if found else None,
        reports=found,
        versions=[PageVersion(version=one.version, at=one.recorded_at, digest=one.digest) for one in history],
    )


def _guidelines(contract: Contract, table: SchemaObject) -> list[str]:
    found = [contract.description.usage] if contract.description and contract.description.usage else []
    for custom in [*(contract.custom_properties or []), *(table.custom_properties or [])]:
        if custom.property.lower() in ("cleaning", "guidelines"):
            found += [str(one) for one in (custom.value if isinstance(custom.value, list) else [custom.value])]
    everywhere = [*(table.quality or []), *(rule for column in table.properties for rule in column.quality or [])]
    return found + [rule.description for rule in everywhere if rule.kind == "text" and rule.description]


def _column(column: Property) -> PageColumn:
    notes = ["key"] if column.primary_key else []
    notes += ["required"] if column.required and not column.primary_key else []
    notes += ["different in every row"] if column.unique and not column.primary_key else []
    notes += [column.classification] if column.classification else []
    notes += ["deprecated"] if column.deprecated else []
    notes += [
        f"refers to {link.to if isinstance(link.to, str) else ', '.join(link.to)}"
        for link in column.relationships or []
    ]
    unit = next((one.value for one in column.custom_properties or [] if one.property == "unit"), None)
    return PageColumn(
        name=column.name,
        type=" ".join(filter(None, (column.logical_type, f"({column.physical_type})" if column.physical_type else ""))),
        unit=None if unit is None else str(unit),
        description=column.description or column.business_name or "",
        notes=notes,
        examples=[str(one) for one in column.examples or []],
    )


def _rules(
    contract: Contract, dataset: str, table: SchemaObject, schema: pl.Schema | None, last: Mapping[str, RuleResult]
) -> list[PageRule]:
    declared = pl.Schema({one.name: _TYPES.get(one.logical_type or "", pl.String()) for one in table.properties})
    found: list[Rule] = []
    for types in (schema, declared):
        if types is not None:
            try:
                found = compile_rules(contract, dataset, types)
                break
            except InvalidInput:  # rows of another shape than the contract says: the contract is still worth reading
                continue
    written = _written(table)
    return [_rule(rule, written.get(rule.id), last.get(rule.id)) for rule in found]


def _written(table: SchemaObject) -> dict[str, Quality]:
    rules = [*(table.quality or []), *(rule for column in table.properties for rule in column.quality or [])]
    return {name: rule for rule in rules if (name := rule.id or rule.name)}


def _rule(rule: Rule, written: Quality | None, last: RuleResult | None) -> PageRule:
    if rule.refuses and isinstance(rule, ROW_KINDS):
        effect = "a row that fails is refused"
    else:
        effect = "an incident is opened" if rule.severity != "info" else "it is noted"
    outcome = None
    if last is not None:
        outcome = "not asked" if last.skipped else "held" if last.passed else "failed"
    return PageRule(
        id=rule.id,
        says=rule.description,
        about=", ".join(rule.columns) or "the table",
        severity=rule.severity,
        dimension=rule.dimension,
        effect=effect,
        business_impact=(written.business_impact if written else None) or "",
        schedule=(written.schedule if written else None) or "",
        outcome=outcome,
        failed=last.failed if last else 0,
        observed=last.observed if last else None,
    )


def _promise(level: Any, last: Mapping[str, RuleResult]) -> PagePromise:
    element = level.element or ""
    result = (
        last.get(f"{element.rpartition('.')[2]}.freshness") if level.property.lower() in ("freshness", "fy") else None
    )
    return PagePromise(
        property=level.property,
        promise=" ".join(str(one) for one in (level.value, level.unit) if one is not None),
        element=element,
        description=level.description or "",
        kept=None if result is None else result.passed,
    )


def _report(report: QualityReport) -> PageReport:
    asked = [result for result in report.results if not result.skipped]
    failed = [result.rule for result in asked if not result.passed]
    return PageReport(
        at=report.recorded_at,
        version=report.contract_version,
        rows=report.rows,
        passed=report.passed,
        passed_share=1.0 - len(failed) / len(asked) if asked else 1.0,
        failed_rules=failed,
    )
