"""The verbs of contracts: published under `contract/<dataset>`, checked against snapshots, begun from real data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.artifacts import Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.prepare.anomalies.declared import watch_of
from treadle.systems.prepare.comparing import Comparison, compare
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.describing import ContractPage, page_of
from treadle.systems.prepare.drafting import Keyed, first_contract
from treadle.systems.prepare.errors import ContractNotFound, RuleRefused
from treadle.systems.prepare.linting import Hint, lint
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.records import (
    CheckDataset,
    CompareContracts,
    ContractFor,
    ContractText,
    FailingRow,
    FindFailingRows,
    PublishContract,
    PublishedContract,
    QualityReport,
    TryContract,
)
from treadle.systems.prepare.reporting import failing_rows, report_of, surroundings
from treadle.systems.prepare.repository import insert_report, list_reports
from treadle.wire.odcs import Contract, decode

KIND = "contract"

_Reports = list[QualityReport]
_Hints = list[Hint]
_FailingRows = list[FailingRow]


class Contracts:
    """The contracts of a store. Each is an artifact, so every version that ever held can be read."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        events: EventLog,
        refs: Refs,
        tables: Tables,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store, self._artifacts, self._events, self._refs = store, artifacts, events, refs
        self._tables, self._clock, self._new_id = tables, clock, new_id
        self._rows = ArtifactRows()
        self._decoded: dict[str, Contract] = {}

    @verb("contracts.publish", permission="contract.write", event="contract.published")
    def publish(self, caller: Caller, request: PublishContract) -> PublishedContract:
        """Makes a contract hold for a dataset from now on. Raises InvalidContract, RuleRefused, WatchRefused."""
        contract = decode(request.text, source=f"the contract of {request.dataset}")
        if contract.table(request.dataset) is None:
            raise RuleRefused(
                f"The contract {contract.id!r} says nothing of {request.dataset!r}.",
                why=did_you_mean(request.dataset, [table.name for table in contract.schema]),
                fix="Name the table in its schema as the dataset is named.",
            )
        watch_of(contract, request.dataset)
        head = self._tables.find_snapshot(caller.project, request.dataset)
        if head is not None:
            compile_rules(contract, request.dataset, self._tables.scan(caller.project, head).collect_schema())
        artifact = self._artifacts.put(request.text, kind=KIND)
        name = _ref(request.dataset)
        body = {"contract": artifact.digest, "version": contract.version, "status": contract.status}

        def work(tx: Transaction) -> None:
            self._rows.record(tx, caller.project, [artifact], at=self._clock())
            reason = request.reason or f"version {contract.version}"
            self._refs.move(tx, caller.project, name, artifact.digest, actor=caller.actor, reason=reason)
            self._events.append(
                tx,
                project=caller.project,
                kind="contract.published",
                subject=name,
                actor=caller.actor,
                body=body,
            )

        self._store.write(work)
        return self.get(caller, ContractFor(dataset=request.dataset))

    @verb("contracts.get", permission="contract.read")
    def get(self, caller: Caller, request: ContractFor) -> PublishedContract:
        """The contract that holds for a dataset. Raises ContractNotFound."""
        with self._store.read() as reader:
            ref = self._refs.find(reader, caller.project, _ref(request.dataset))
            if ref is None:
                raise self._missing(reader, caller.project, request.dataset)
            return self._published(reader, caller.project, request.dataset, ref.target, ref.updated_at)

    @verb("contracts.history", permission="contract.read")
    def history(self, caller: Caller, request: ContractFor) -> list[PublishedContract]:
        """Every contract that ever held for a dataset, oldest first."""
        with self._store.read() as reader:
            moves = self._refs.history(reader, caller.project, _ref(request.dataset))
            return [
                self._published(reader, caller.project, request.dataset, move.target, move.recorded_at)
                for move in moves
                if move.target
            ]

    @verb("contracts.list", permission="contract.read")
    def list(self, caller: Caller) -> list[PublishedContract]:
        """The contract of every dataset that has one."""
        with self._store.read() as reader:
            return [
                self._published(reader, caller.project, ref.name.partition("/")[2], ref.target, ref.updated_at)
                for ref in self._refs.list(reader, caller.project, "contract/")
            ]

    @verb("contracts.init", permission="dataset.read")
    def init(self, caller: Caller, request: ContractFor) -> str:
        """The text of a first contract, drawn from the rows that the dataset has now; nothing is published."""
        snapshot = self._tables.snapshot(caller.project, request.dataset)
        rows = self._tables.scan(caller.project, snapshot)
        others = list(self._keyed(caller.project, request.dataset))
        return first_contract(request.dataset, rows, now=self._clock(), owner=caller.actor, others=others).text()

    @verb("contracts.compare", permission="contract.read")
    def compare(self, caller: Caller, request: CompareContracts) -> Comparison:
        """What lies between two contracts' texts: whom each change breaks, and the version that the new one should have."""
        return compare(decode(request.before, source="the one before"), decode(request.after, source="the one after"))

    @verb("contracts.lint", permission="contract.read")
    def lint(self, caller: Caller, request: ContractText) -> _Hints:
        """What a contract's text could say better. Raises InvalidContract for one that is wrong."""
        return lint(decode(request.text))

    @verb("contracts.check", permission="contract.write", event="quality.checked")
    def check(self, caller: Caller, request: CheckDataset) -> QualityReport:
        """Judges a snapshot by the dataset's contract, and keeps the report. Nothing is refused."""
        return self.judge(caller, request)

    def judge(
        self, caller: Caller, request: CheckDataset, progress: Callable[[int], None] = lambda rows: None
    ) -> QualityReport:
        """As `check`; `progress` is told how many rows were judged."""
        caller.require("contract.write")
        digest, contract = self._holding(caller.project, request.dataset)
        report = self._report(caller.project, request, digest, contract, progress)
        body = {"report": report.id, "snapshot": report.snapshot, "contract": digest, "passed": report.passed}

        def work(tx: Transaction) -> None:
            insert_report(tx, caller.project, report)
            self._events.append(
                tx,
                project=caller.project,
                kind="quality.checked",
                subject=f"dataset/{request.dataset}",
                actor=caller.actor,
                body=body,
            )

        self._store.write(work)
        return report

    @verb("contracts.try_out", permission="dataset.read")
    def try_out(self, caller: Caller, request: TryContract) -> QualityReport:
        """Judges a snapshot by a contract's text, which need not be published. Nothing is kept."""
        asked = CheckDataset(dataset=request.dataset, at=request.at, now=request.now)
        return self._report(caller.project, asked, "", decode(request.text))

    @verb("contracts.failing_rows", permission="dataset.read")
    def failing_rows(self, caller: Caller, request: FindFailingRows) -> _FailingRows:
        """Rows of a snapshot that fail a rule of its contract, or of the text, with their values; one line a row and rule."""
        contract = decode(request.text) if request.text else self._holding(caller.project, request.dataset)[1]
        snapshot = self._tables.snapshot(caller.project, request.dataset, request.at)
        rows = self._tables.scan(caller.project, snapshot)
        around = surroundings(self._tables, caller.project, snapshot, request.now or self._clock())
        return failing_rows(contract, request.dataset, rows, around, rule=request.rule, limit=request.limit)

    @verb("contracts.page", permission="contract.read")
    def page(self, caller: Caller, request: ContractFor) -> ContractPage:
        """A contract as a person reads it: rules in words, whom to ask, what was last found, how it went over time."""
        digest, contract = self._holding(caller.project, request.dataset)
        schema = None
        if (head := self._tables.find_snapshot(caller.project, request.dataset)) is not None:
            schema = self._tables.scan(caller.project, head).collect_schema()
        with self._store.read() as reader:
            reports = list_reports(reader, caller.project, request.dataset, limit=100)
        return page_of(contract, request.dataset, digest, schema, reports, self.history(caller, request))

    @verb("contracts.reports", permission="contract.read")
    def reports(self, caller: Caller, request: ContractFor) -> _Reports:
        """The newest hundred reports of a dataset, newest first."""
        with self._store.read() as reader:
            return list_reports(reader, caller.project, request.dataset, limit=100)

    def find(self, project: str, dataset: str) -> tuple[str, Contract] | None:
        """The digest and the contract that holds for a dataset, or None."""
        with self._store.read() as reader:
            ref = self._refs.find(reader, project, _ref(dataset))
            return None if ref is None else (ref.target, self._contract(reader, project, ref.target))

    def rows_of(self, project: str, dataset: str) -> pl.LazyFrame | None:
        """The rows of a dataset's newest snapshot, or None."""
        head = self._tables.find_snapshot(project, dataset)
        return None if head is None else self._tables.scan(project, head)

    def _keyed(self, project: str, but: str) -> Iterator[Keyed]:
        """The datasets whose contracts say that one column identifies a row."""
        with self._store.read() as reader:
            held = {ref.name.partition("/")[2]: ref.target for ref in self._refs.list(reader, project, "contract/")}
            contracts = {name: self._contract(reader, project, digest) for name, digest in held.items()}
        for name, contract in contracts.items():
            table = contract.table(name)
            keys = [] if table is None else [column.name for column in table.properties if column.primary_key]
            rows = self.rows_of(project, name) if len(keys) == 1 and name != but else None
            if rows is not None:
                yield Keyed(dataset=name, key=keys[0], rows=rows)

    def _report(
        self,
        project: str,
        asked: CheckDataset,
        digest: str,
        contract: Contract,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> QualityReport:
        snapshot = self._tables.snapshot(project, asked.dataset, asked.at)
        rows = self._tables.scan(project, snapshot)
        around = surroundings(self._tables, project, snapshot, asked.now or self._clock())
        report = report_of(contract, asked.dataset, rows, around, progress=progress)
        return dataclasses.replace(
            report,
            id=self._new_id("report") if digest else "",
            contract=digest,
            snapshot=snapshot.id,
            run=asked.run,
            recorded_at=from_micros(to_micros(self._clock())),
        )

    def _holding(self, project: str, dataset: str) -> tuple[str, Contract]:
        found = self.find(project, dataset)
        if found is None:
            with self._store.read() as reader:
                raise self._missing(reader, project, dataset)
        return found

    def _contract(self, reader: Reader, project: str, digest: str) -> Contract:
        if digest not in self._decoded:
            self._decoded[digest] = decode(self._text(reader, project, digest))
        return self._decoded[digest]

    def _text(self, reader: Reader, project: str, digest: str) -> str:
        return str(self._artifacts.load(self._rows.get(reader, project, digest)))

    def _published(
        self, reader: Reader, project: str, dataset: str, digest: str, recorded_at: datetime
    ) -> PublishedContract:
        contract = self._contract(reader, project, digest)
        table = contract.table(dataset)
        asked = (
            [] if table is None else [*(table.quality or []), *(q for p in table.properties for q in p.quality or [])]
        )
        return PublishedContract(
            dataset=dataset,
            digest=digest,
            version=contract.version,
            status=contract.status,
            owner=owner_of(contract),
            rules=len(asked) + (0 if table is None else sum(p.required + p.unique for p in table.properties)),
            text=self._text(reader, project, digest),
            recorded_at=recorded_at,
        )

    def _missing(self, reader: Reader, project: str, dataset: str) -> ContractNotFound:
        known = [ref.name.partition("/")[2] for ref in self._refs.list(reader, project, "contract/")]
        return ContractNotFound(
            f"There is no contract for the dataset {dataset!r}.",
            why=did_you_mean(dataset, known),
            fix=f"Begin one from its rows with: treadle contracts init {dataset}",
            dataset=dataset,
        )


def owner_of(contract: Contract) -> str | None:
    """Who answers for the data: the member whose role is owner, else the first one."""
    members = contract.members()
    owners = [member.username for member in members if (member.role or "").lower().endswith("owner")]
    named = owners or [member.username for member in members]
    return named[0] if named else None


def _ref(dataset: str) -> str:
    return f"contract/{dataset}"
