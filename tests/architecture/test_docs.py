"""What the docs say is so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT
from tools import reference
from treadle.assembly.services import FURTHER
from treadle.faces.cli.contents import ENTRIES
from treadle.ground import settings
from treadle.kernel.governance import declared

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changes").glob("*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"
KINDS_OF_CHANGE = {"added", "changed", "deprecated", "removed", "fixed", "security"}


@cache
def fresh_pages() -> dict[str, str]:
    return reference.pages()


@pytest.mark.parametrize("name", ["settings.md", "errors.md", "verbs.md", "cli.md", "protocol.md"])
def test_the_reference_is_fresh(name):
    """Mend it with: make docs."""
    assert (ROOT / "docs" / "reference" / name).read_text() == fresh_pages()[name]


def test_the_check_of_the_reference_notices_a_stale_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "PAGES", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])

    assert reference.main() == 1
    assert "not fresh" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_setting_every_verb_every_error_and_every_command_is_in_the_reference():
    pages = fresh_pages()

    assert [one.name for one in settings.declared() if f"`{one.variable}`" not in pages["settings.md"]] == []
    ours = [verb.name for verb in declared().values() if verb.function.__module__.startswith("treadle.")]
    assert [name for name in ours if f"### {name}\n" not in pages["verbs.md"]] == []
    assert [kind.code for kind in reference.error_classes() if f"`{kind.code}`" not in pages["errors.md"]] == []
    assert [entry.words for entry in ENTRIES if f"### treadle {entry.words}\n" not in pages["cli.md"]] == []


def test_every_verb_says_what_comes_out():
    fresh_pages()
    ours = [verb for verb in declared().values() if verb.function.__module__.startswith("treadle.")]

    assert [verb.name for verb in ours if len(verb.summary.split()) < 2] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_page_of_ours_leads_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_floors_of_the_architecture_page_are_those_of_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["id"] == "floors")["layers"]
    drawn = ARCHITECTURE.read_text().partition("```text")[2].partition("```")[0]

    floors = [re.match(r"(\w+)(/|\.py)", line) for line in drawn.splitlines()]

    named = [found.group(1) for found in floors if found]
    assert named == [layer.partition(":")[0].strip(" ()") for layer in layers]


def test_the_architecture_page_names_every_system():
    drawn = ARCHITECTURE.read_text().partition("```text")[2].partition("```")[0]
    line = next(line for line in drawn.splitlines() if line.startswith("systems/"))
    here = {path.name for path in (PACKAGE / "systems").iterdir() if (path / "__init__.py").is_file()}

    assert here <= set(re.findall(r"\w+", line))


def test_every_noun_has_the_owner_that_the_architecture_page_names():
    fresh_pages()
    table = ARCHITECTURE.read_text().partition("| owner | nouns |")[2]
    rows = re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", table, re.MULTILINE)
    owner_of = {noun.strip(): owner for owner, nouns in rows for noun in nouns.split(",")}
    lent = {module for parts in FURTHER.values() for _, module in parts}  # verbs of a noun that somebody else does
    found = {
        verb.noun: verb.function.__module__.split(".")[2]
        for verb in declared().values()
        if verb.function.__module__.startswith("treadle.") and verb.function.__module__ not in lent
    }

    assert {noun: owner for noun, owner in found.items() if owner_of.get(noun) != owner} == {}


def test_every_decision_is_in_the_list_and_has_its_three_parts():
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()

    for page in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        text = page.read_text()
        assert f"({page.name})" in listed
        assert text.startswith(f"# {page.name[:4]}: ")
        assert [part for part in ("## Context", "## Decision", "## Consequences") if part not in text] == []


def test_every_change_is_of_a_known_kind():
    fragments = [path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]

    assert [path.name for path in fragments if path.name.split(".")[-2] not in KINDS_OF_CHANGE] == []


def test_make_lists_its_verbs():
    answer = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for verb in ("demo", "test", "check", "bench", "bench-peers", "soak", "docs", "format", "clean"):
        assert re.search(rf"^  make {verb} +\w", answer, re.MULTILINE)


def test_the_pages_name_no_verb_of_make_that_is_not_there():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {verb for page in PAGES for verb in re.findall(r"`make ([\w-]+)", page.read_text())}

    assert named <= known


def test_ci_runs_the_tests_as_the_readme_names_them():
    script = (ROOT / ".ci" / "run").read_text()

    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^make test$", script, re.MULTILINE)
    assert re.search(r"^make static$", script, re.MULTILINE)
