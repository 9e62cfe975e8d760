"""`treadle contracts`: what clean is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong
from treadle.ground.errors import NotFound, did_you_mean

Dataset = Annotated[str, "the dataset"]


class ContractFileMissing(NotFound):
    """The file of a contract cannot be read."""

    code = "cli.contract_file_missing"


def list_all(session: Session) -> None:
    """The contract of every dataset that has one."""
    contracts = session.client.contracts.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.dataset, one.version, one.status, one.rules, one.owner, short_digest(one.digest), one.recorded_at)
            for one in contracts
        ]
        columns = ("dataset", "version", "status", "rules", "owner", "digest", "since")
        paper.table(columns, rows, empty="No contracts yet: treadle contracts publish FILE")

    session.out.show(contracts, draw)


def show(session: Session, dataset: Annotated[str, "the dataset, or DATASET@VERSION"]) -> None:
    """The contract that holds for a dataset, or one that held, to the letter."""
    contract = published(session, dataset)
    session.out.show(contract, lambda paper: paper.line(contract.text.rstrip()))


def history(session: Session, dataset: Dataset) -> None:
    """Every contract that ever held for a dataset, the newest first."""
    found = session.client.contracts.history(dataset=dataset)[::-1]

    def draw(paper: Paper) -> None:
        rows = [
            (one.version, one.status, one.rules, one.owner, short_digest(one.digest), one.recorded_at) for one in found
        ]
        paper.table(("version", "status", "rules", "owner", "digest", "since"), rows, empty="None yet.")

    session.out.show(found, draw)


def published(session: Session, named: str) -> Any:
    """The contract of a dataset; of `DATASET@VERSION`, the one of that version or digest that held last."""
    dataset, _, version = named.partition("@")
    if not version:
        return session.client.contracts.get(dataset=dataset)
    held = session.client.contracts.history(dataset=dataset)
    for one in reversed(held):
        if version == one.version or one.digest.startswith(version):
            return one
    raise ContractFileMissing(
        f"{dataset} never had a contract of version {version!r}.",
        why=did_you_mean(version, [one.version for one in held]),
        fix=f"See: treadle contracts history {dataset}",
    )


def publish(
    session: Session,
    what: Annotated[list[str], "[DATASET] FILE: an Open Data Contract (ODCS v3 YAML)"],
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Makes a contract hold for what lands in a dataset from now on; rows that break it go to quarantine.

    Without a dataset it holds for the one table that the file describes.
    """
    if len(what) not in (1, 2):
        raise UsageWrong(
            "publish takes a file, or a dataset and a file.", fix="treadle contracts publish sales.odcs.yaml"
        )
    text = read_contract(Path(what[-1]))
    dataset = what[0] if len(what) == 2 else _only_table(text, what[0])
    contract = session.client.contracts.publish(dataset=dataset, text=text, reason=reason)
    said = f"Version {contract.version} holds for {dataset}: {contract.rules} rules."
    session.out.show(contract, lambda paper: paper.line(said))


def _only_table(text: str, source: str) -> str:
    """The dataset that a contract is about. Raises InvalidContract, UsageWrong where it describes several."""
    from treadle.wire.odcs import decode

    names = [table.name for table in decode(text, source=source).schema]
    if len(names) != 1:
        raise UsageWrong(
            f"{source} describes {len(names)} tables.",
            why=f"They are: {', '.join(names)}." if names else "Without a table it says nothing of any dataset.",
            fix=f"Name the dataset: treadle contracts publish {names[0] if names else 'DATASET'} {source}",
        )
    return names[0]


def read_contract(file: Path) -> str:
    """The text of a contract's file. Raises ContractFileMissing."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractFileMissing(f"The contract {file} cannot be read.", why=str(error)) from error
