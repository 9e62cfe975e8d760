"""Contracts as pages: one self-contained HTML document each, an index over all, and the same as Markdown.

Drawn from the records that `contracts.page` answers, so whatever is shown here the API hands out too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from treadle.faces.plots import Html, Line, Point, figure, line_chart, listing, page, section, table, tag

if TYPE_CHECKING:
    from treadle.systems.prepare.describing import ContractPage, PageChannel, PageRule

_OUTCOMES = {"held": "good", "failed": "bad", "not asked": "dim"}
_SAFE_LINKS = ("https://", "http://", "mailto:")


def file_name(dataset: str) -> str:
    """The name of a contract's page beside the index."""
    return f"{quote(dataset, safe='')}.html"


def contract_page(found: ContractPage) -> str:
    """The HTML document of one contract; it asks nothing of the network."""
    facts: list[tuple[str, object]] = [("version", found.version), ("status", found.status)]
    facts += [("rules", len(found.rules)), ("columns", len(found.columns))]
    if found.last:
        facts.append(("last check", _word(found.last.passed)))
    parts = [
        listing(facts),
        _prose("What it is not", [found.limitations]) if found.limitations else None,
        _prose("How this data is cleaned", found.guidelines) if found.guidelines else None,
        section("Rules", _rule_table(found.rules), note=_RULE_NOTE, id="rules"),
        section("Columns", _column_table(found), note=_granularity(found), id="columns"),
        section("What is promised", _promise_table(found), id="promises") if found.promises else None,
        section("Whom to ask", *_people(found), id="people") if found.people or found.channels else None,
        section("Quality over time", *_over_time(found), id="quality") if found.reports else None,
        section("Versions", _version_table(found), id="versions") if found.versions else None,
    ]
    foot = f"Contract {found.dataset} {found.version}, {found.digest[:19]}. Open Data Contract Standard, version 3."
    return page(found.title, *parts, subtitle=found.purpose, foot=foot)


def index_page(pages: Sequence[ContractPage], *, address: str = "{}.html") -> str:
    """The HTML document that lists all contracts. address: where the page of each is, with `{}` for its dataset."""
    rows = [
        (
            tag("a", one.title, href=address.format(quote(one.dataset, safe=""))),
            one.purpose,
            one.version,
            one.owner or tag("span", "nobody", class_="bad"),
            len(one.rules),
            _word(one.last.passed) if one.last else tag("span", "never checked", class_="dim"),
        )
        for one in sorted(pages, key=lambda one: one.title.lower())
    ]
    columns = ("data", "what it is for", "version", "who answers", "rules", "last check")
    shown = table(columns, rows, empty="No contract is published yet.")
    return page(
        "Data contracts", section("All contracts", shown), subtitle="What clean means here, and who answers for it."
    )


def contract_markdown(found: ContractPage) -> str:
    """The same as Markdown."""
    return "\n".join(_markdown(found)) + "\n"


_RULE_NOTE = (
    "Each rule in words, what becomes of a row that fails it, and what the last check found. "
    "A value that is missing is unknown, and fails only rules that ask for a value."
)


def _prose(title: str, texts: Sequence[str]) -> Html:
    return section(title, *(paragraph for text in texts for paragraph in _paragraphs(text)))


def _paragraphs(text: str) -> Iterator[Html]:
    """Prose with its paragraphs and its lists, which are all the layout that a contract's text has."""
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        items: list[str] = []
        for line in lines:
            stripped = line.strip()
            head, dot, rest = stripped.partition(". ") if stripped[:1].isdigit() else ("", "", "")
            if dot and head.isdigit():
                items.append(rest)
            elif stripped[:2] in ("- ", "* "):
                items.append(stripped[2:])
            elif items:
                items[-1] += f" {stripped}"
        is_list = (
            bool(items)
            and len(lines) >= len(items)
            and (lines[0].strip()[:1].isdigit() or lines[0].strip()[:2] in ("- ", "* "))
        )
        if is_list:
            yield tag("ol" if lines[0].strip()[:1].isdigit() else "ul", [tag("li", item) for item in items])
        else:
            yield tag("p", " ".join(line.strip() for line in lines))


def _rule_table(rules: Sequence[PageRule]) -> Html:
    rows = [
        (
            tag("code", rule.id),
            [
                rule.says,
                tag("small", f" If not: {rule.business_impact}", class_="dim") if rule.business_impact else None,
            ],
            rule.about,
            [rule.effect, tag("small", f" ({rule.severity})", class_="dim")],
            rule.dimension,
            _outcome(rule),
        )
        for rule in rules
    ]
    return table(("rule", "what it says", "about", "if it fails", "kind", "last found"), rows, empty="No rules yet.")


def _outcome(rule: PageRule) -> Html:
    if rule.outcome is None:
        return tag("span", "–", class_="dim")
    said = rule.outcome
    if rule.outcome == "failed":
        said = f"{rule.failed:,} rows" if rule.observed is None else f"found {_short(rule.observed)}"
    return tag("span", said, class_=_OUTCOMES[rule.outcome])


def _column_table(found: ContractPage) -> Html:
    rows = [
        (
            tag("code", one.name),
            [one.type, f", {one.unit}" if one.unit else None],
            [
                one.description,
                tag("small", f" such as {', '.join(one.examples)}", class_="dim") if one.examples else None,
            ],
            ", ".join(one.notes),
        )
        for one in found.columns
    ]
    return table(("column", "type, unit", "what it says", ""), rows, empty="No columns are described.")


def _granularity(found: ContractPage) -> str:
    return f"There is {found.granularity}." if found.granularity else ""


def _promise_table(found: ContractPage) -> Html:
    kept = {None: tag("span", "not measured", class_="dim"), True: _word(True), False: _word(False)}
    rows = [(one.property, one.promise, one.element, one.description, kept[one.kept]) for one in found.promises]
    return table(("promise", "how much", "measured by", "in words", "kept"), rows)


def _people(found: ContractPage) -> Iterator[Html]:
    if found.people:
        yield table(("who", "role", ""), [(one.name, one.role, one.description) for one in found.people])
    if found.channels:
        yield tag("h3", "Where")
        yield tag("ul", [tag("li", _channel(one)) for one in found.channels])


def _channel(one: PageChannel) -> list[object]:
    is_safe = one.url is not None and one.url.lower().startswith(_SAFE_LINKS)
    name = tag("a", one.channel, href=one.url) if is_safe else tag("b", one.channel)
    return [name, f" – {one.description}" if one.description else None]


def _over_time(found: ContractPage) -> Iterator[Html]:
    points = [
        Point(at=one.at, value=one.passed_share, say=", ".join(one.failed_rules) or "all rules held")
        for one in found.reports
    ]
    if len(points) > 1:
        line = Line(name="rules that held", points=points, colour="c1")
        yield figure(
            lambda width: line_chart(
                [line], width=width, label="share of rules that held", percent=True, bounds=(0.0, 1.0), height=220
            ),
            "The share of rules that held, check by check.",
        )
    rows = [
        (f"{one.at:%Y-%m-%d %H:%M}", one.version, one.rows, _word(one.passed), ", ".join(one.failed_rules) or "–")
        for one in reversed(found.reports[-10:])
    ]
    yield table(("checked", "by version", "rows", "", "what failed"), rows)


def _version_table(found: ContractPage) -> Html:
    rows = [(one.version, f"{one.at:%Y-%m-%d %H:%M}", tag("code", one.digest[:19])) for one in reversed(found.versions)]
    return table(("version", "published", "digest"), rows)


def _word(passed: bool) -> Html:
    return tag("span", "held" if passed else "failed", class_="good" if passed else "bad")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _markdown(found: ContractPage) -> Iterator[str]:
    yield f"# {found.title}"
    yield ""
    if found.purpose:
        yield found.purpose.strip()
        yield ""
    yield f"Version {found.version}, {found.status}. Answers for it: {found.owner or 'nobody'}."
    for title, texts in (("What it is not", [found.limitations]), ("How this data is cleaned", found.guidelines)):
        if any(texts):
            yield from ("", f"## {title}", "", "\n\n".join(text.strip() for text in texts if text))
    yield from (
        "",
        "## Rules",
        "",
        "| rule | what it says | if it fails | kind | last found |",
        "| --- | --- | --- | --- | --- |",
    )
    for rule in found.rules:
        yield _row(f"`{rule.id}`", rule.says, f"{rule.effect} ({rule.severity})", rule.dimension, rule.outcome or "–")
    yield from ("", "## Columns", "")
    if found.granularity:
        yield from (_granularity(found), "")
    yield from ("| column | type | unit | what it says | |", "| --- | --- | --- | --- | --- |")
    for one in found.columns:
        yield _row(f"`{one.name}`", one.type, one.unit or "", one.description, ", ".join(one.notes))
    if found.promises:
        yield from ("", "## What is promised", "", "| promise | how much | measured by |", "| --- | --- | --- |")
        for level in found.promises:
            yield _row(level.property, level.promise, level.element)
    if found.people or found.channels:
        yield from ("", "## Whom to ask", "")
        for person in found.people:
            yield f"- {person.name}, {person.role}" if person.role else f"- {person.name}"
        for channel in found.channels:
            yield f"- {channel.channel} {channel.url or ''} {channel.description}".rstrip()
    if found.last:
        said = "all rules held" if not found.last.failed_rules else f"failed: {', '.join(found.last.failed_rules)}"
        yield from ("", "## Last check", "", f"{found.last.at:%Y-%m-%d %H:%M}, {found.last.rows:,} rows: {said}.")


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
