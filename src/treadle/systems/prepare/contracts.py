"""The verbs of contracts: published under `contract/<dataset>`, checked against snapshots, begun from real data."""

from __future__ import annotations

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
from treadle.systems.prepare import queries
from treadle.systems.prepare.checking import Session
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.errors import ContractNotFound, RuleRefused
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.profiles import first_contract, profile
from treadle.systems.prepare.records import (
    CheckDataset,
    ContractFor,
    PublishContract,
    PublishedContract,
    QualityReport,
)
from treadle.systems.prepare.repository import insert_report, list_reports
from treadle.wire.odcs import Contract, decode, encode

KIND = "contract"

_Reports = list[QualityReport]


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
        """Makes a contract hold for a dataset from now on. Raises InvalidContract, RuleRefused."""
        contract = decode(request.text, source=f"the contract of {request.dataset}")
        if contract.table(request.dataset) is None:
            raise RuleRefused(
                f"The contract {contract.id!r} says nothing of {request.dataset!r}.",
                why=did_you_mean(request.dataset, [table.name for table in contract.schema]),
                fix="Name the table in its schema as the dataset is named.",
            )
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
        return encode(first_contract(request.dataset, profile(rows), rows.collect_schema()))

    @verb("contracts.check", permission="contract.write", event="quality.checked")
    def check(self, caller: Caller, request: CheckDataset) -> QualityReport:
        """Judges a snapshot by the dataset's contract, and keeps the report. Nothing is refused."""
        found = self.find(caller.project, request.dataset)
        if found is None:
            with self._store.read() as reader:
                raise self._missing(reader, caller.project, request.dataset)
        digest, contract = found
        snapshot = self._tables.snapshot(caller.project, request.dataset, request.at)
        rows = self._tables.scan(caller.project, snapshot)
        session = self.judge(caller.project, contract, request.dataset, rows, now=request.now)
        report = self.report(
            request.dataset, digest, contract, session, snapshot=snapshot.id, landing=None, run=request.run
        )
        body = {"report": report.id, "snapshot": snapshot.id, "contract": digest, "passed": report.passed}

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

    @verb("contracts.reports", permission="contract.read")
    def reports(self, caller: Caller, request: ContractFor) -> _Reports:
        """The newest hundred reports of a dataset, newest first."""
        with self._store.read() as reader:
            return list_reports(reader, caller.project, request.dataset, limit=100)

    def judge(
        self,
        project: str,
        contract: Contract,
        dataset: str,
        rows: pl.LazyFrame,
        *,
        now: datetime | None = None,
    ) -> Session:
        """A session that has judged the rows by every rule of the contract."""
        rules = compile_rules(contract, dataset, rows.collect_schema())
        session = Session(rules, lookup=lambda name: self.rows_of(project, name))
        session.judge(rows.collect())
        session.measure(rows, now=now or self._clock(), query=lambda text: queries.answer(text, rows))
        return session

    def report(
        self,
        dataset: str,
        digest: str,
        contract: Contract,
        session: Session,
        *,
        snapshot: str | None,
        landing: str | None,
        run: str | None,
    ) -> QualityReport:
        """The report of a session."""
        results = session.results()
        return QualityReport(
            id=self._new_id("report"),
            dataset=dataset,
            contract=digest,
            contract_version=contract.version,
            snapshot=snapshot,
            landing=landing,
            run=run,
            passed=all(result.passed for result in results if result.severity == "error"),
            rows=session.rows,
            refused=session.refused,
            results=results,
            recorded_at=from_micros(to_micros(self._clock())),
        )

    def find(self, project: str, dataset: str) -> tuple[str, Contract] | None:
        """The digest and the contract that holds for a dataset, or None."""
        with self._store.read() as reader:
            ref = self._refs.find(reader, project, _ref(dataset))
            return None if ref is None else (ref.target, self._contract(reader, project, ref.target))

    def rows_of(self, project: str, dataset: str) -> pl.LazyFrame | None:
        """The rows of a dataset's newest snapshot, or None."""
        head = self._tables.find_snapshot(project, dataset)
        return None if head is None else self._tables.scan(project, head)

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
