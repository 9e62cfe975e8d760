"""`treadle contracts init, lint, diff, export`: contracts as texts, from the first draft to the page that others read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.commands.contracts import published, read_contract
from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong
from treadle.ground.errors import Conflict

_SUFFIXES = (".yaml", ".yml")


class WouldOverwrite(Conflict):
    """A file is there already."""

    code = "cli.would_overwrite"


def init(
    session: Session,
    dataset: Annotated[str, "the dataset, or the name that the rows of a file are to have"],
    *,
    output: Annotated[Path | None, Option("write it here", short="o", metavar="FILE")] = None,
    rows: Annotated[Path | None, "draw it from the rows of a file, which need not have landed"] = None,
    force: Annotated[bool, "write over what is there"] = False,
) -> None:
    """Writes a first contract, drawn from real rows, with a comment for everything that is to be decided.

    Keys, sets of values, patterns, ranges with slack, freshness from the usual rhythm: guesses, each with what it rests on.
    Nothing is published.
    """
    if output is not None and output.exists() and not force:
        raise WouldOverwrite(f"{output} is there already.", fix="Name another file, or say --force")
    if rows is not None:
        from treadle.systems.prepare.drafting import first_contract
        from treadle.systems.prepare.local_files import scan_file

        text = first_contract(dataset, scan_file(rows), now=datetime.now(UTC)).text()
    else:
        text = session.client.contracts.init(dataset=dataset)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        said = f"{output} is written. Read every line of it; then: treadle contracts lint {output}"
        session.out.show({"dataset": dataset, "file": str(output)}, lambda paper: paper.line(said))
        return
    session.out.show({"dataset": dataset, "text": text}, lambda paper: paper.line(text.rstrip()))


def lint(
    session: Session,
    file: Annotated[Path, "an Open Data Contract (ODCS v3 YAML)"],
    *,
    strict: Annotated[bool, "any hint is a failure, but for those that only say when a rule is asked"] = False,
) -> int:
    """Says what a contract leaves unsaid. Exit code 1 when nobody answers for it, or nothing identifies a row."""
    from treadle.systems.prepare.linting import lint as hints_of
    from treadle.systems.prepare.linting import worth_failing
    from treadle.wire.odcs import decode

    hints = hints_of(decode(read_contract(file), source=str(file)))

    def draw(paper: Paper) -> None:
        rows = [(one.place, one.code, one.said) for one in hints]
        paper.table(("where", "what", "better"), rows, empty="Nothing to say.")

    session.out.show(hints, draw)
    return int(any(not one.is_note for one in hints) if strict else worth_failing(hints))


def diff(
    session: Session,
    before: Annotated[str, "a file, DATASET or DATASET@VERSION"],
    after: Annotated[str, "the same, of the contract that comes after"],
) -> int:
    """Says what lies between two contracts: what breaks readers, what breaks writers, what is harmless.

    The version that the second should have follows from it: a step of the first number when somebody is broken, of the
    second when something is new, of the third for words. Exit code 1 when it has not made that step.
    """
    from treadle.systems.prepare.comparing import compare
    from treadle.wire.odcs import decode

    left, right = (decode(_text(session, word), source=word) for word in (before, after))
    found = compare(left, right)

    def draw(paper: Paper) -> None:
        said = {"both": "both", "readers": "readers", "writers": "writers", "nobody": "nobody"}
        rows = [(said[one.breaks], one.place, one.what, one.because) for one in found.changes]
        paper.table(("breaks", "where", "what", "because"), rows, empty="They say the same.")
        paper.line()
        if found.bump != "none":
            verdict = "it has that" if found.is_version_enough else f"it is {found.after_version}"
            paper.line(
                f"From {found.before_version} this is a {found.bump} step, to {found.wanted_version} at least: {verdict}."
            )

    session.out.show(found, draw)
    return int(not found.is_version_enough)


def export(
    session: Session,
    datasets: Annotated[list[str] | None, "which (default: every dataset that has a contract)"] = None,
    *,
    html: Annotated[bool, "pages of one file each, and an index"] = False,
    markdown: Annotated[bool, "the same as Markdown"] = False,
    output: Annotated[Path, Option("the folder", short="o", metavar="FOLDER")] = Path("contracts"),
) -> None:
    """Writes contracts as pages to read: rules in words, whom to ask, what was last found, quality over time."""
    from treadle.faces.contract_pages import contract_markdown, contract_page, file_name, index_page

    if html == markdown:
        raise UsageWrong("Say which: --html or --markdown.")
    names = datasets or [one.dataset for one in session.client.contracts.list()]
    pages = [session.client.contracts.page(dataset=name) for name in names]
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for one in pages:
        path = output / (file_name(one.dataset) if html else f"{Path(file_name(one.dataset)).stem}.md")
        path.write_text(contract_page(one) if html else contract_markdown(one), encoding="utf-8")
        written.append(str(path))
    if html:
        (output / "index.html").write_text(index_page(pages), encoding="utf-8")
        written.append(str(output / "index.html"))
    session.out.show(
        {"files": written}, lambda paper: paper.line("\n".join(written) or "No contract is published yet.")
    )


def _text(session: Session, word: str) -> Any:
    path = Path(word)
    is_file = path.suffix.lower() in _SUFFIXES or path.exists()
    return read_contract(path) if is_file else published(session, word).text
