"""`treadle datasets branch`, `branches`, `merge`, `delete-branch`: work that nobody sees until it is brought to main."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.commands.datasets import At, Name
from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session

BranchName = Annotated[str, "the branch"]
Reason = Annotated[str, "why, for those who come later"]


def branch(session: Session, name: Name, branch: BranchName, *, at: At = None, reason: Reason = "") -> None:
    """Begins a branch at a snapshot; one that is there already stays as it is. Nothing is copied.

    What lands on it (--branch, or NAME@BRANCH wherever a dataset is named) is seen on it alone, until it is merged.
    """
    made = session.client.datasets.branch(name=name, branch=branch, at=at, reason=reason)
    session.out.show(
        made,
        lambda paper: paper.line(
            f"{made.dataset} begins at version {made.base_version} of {name}, with {made.rows} rows."
        ),
    )


def branches(session: Session, name: Name) -> None:
    """Every branch, with how far it and main have come since it was made."""
    found = session.client.datasets.branches(name=name)

    def draw(paper: Paper) -> None:
        columns = ("branch", "from version", "ahead", "behind", "rows", "updated")
        rows = [(one.branch, one.base_version, one.ahead, one.behind, one.rows, one.updated_at) for one in found]
        paper.table(columns, rows, empty=f"No branches: treadle datasets branch {name} BRANCH")

    session.out.show(found, draw)


def merge(
    session: Session,
    name: Name,
    branch: BranchName,
    *,
    delete: Annotated[bool, "end the branch with it (default: it goes on from where main is then)"] = False,
    reason: Reason = "",
) -> None:
    """Brings a branch's rows to main, as one snapshot.

    Where main has moved on, the branch's files are put on top of it. What cannot be told apart is refused before anything
    changes: files that main has replaced, a batch or a cursor that both have moved, a column of two types.
    """
    done = session.client.datasets.merge(name=name, branch=branch, delete=delete, reason=reason)

    def draw(paper: Paper) -> None:
        if done.how == "nothing":
            paper.line(f"{branch} has nothing that main lacks.")
            return
        gone = f", {done.rows_removed} taken away" if done.rows_removed else ""
        paper.line(f"{name} is at version {done.version} ({done.how}): {done.rows_added} rows added{gone}.")

    session.out.show(done, draw)


def delete(
    session: Session, name: Name, branch: BranchName, *, reason: Reason = "", yes: Annotated[bool, "do not ask"] = False
) -> None:
    """Takes a branch away. Its snapshots stay for as long as a tag or a run holds them, then clean-up takes them."""
    session.confirm(f"Take the branch {branch} of {name} away?", yes=yes)
    session.client.datasets.delete_branch(name=name, branch=branch, reason=reason)
    session.out.show({"name": name, "deleted": branch}, lambda paper: paper.line(f"{name}@{branch} is no more."))
