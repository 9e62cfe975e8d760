"""Parts are found by name, ours and anyone's, and imported when used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from treadle.ground.plugins import PluginBroken, PluginNotFound, Plugins

GROUP = "treadle.connectors"


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of somebody else, installed."""
    info = tmp_path / "acme_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\nacme = acme_parts:Source\ncsv = acme_parts:Source\nhollow = acme_parts:Missing\n"
    )
    (tmp_path / "acme_parts.py").write_text("class Source:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_parts", raising=False)
    return tmp_path


def test_names_are_listed_without_importing_a_part(foreign):
    parts = Plugins(GROUP, {"csv": "csv:reader"})

    assert {"acme", "csv", "hollow"} <= set(parts.names())
    assert "acme_parts" not in sys.modules


def test_a_foreign_part_is_imported_when_it_is_loaded(foreign):
    assert Plugins(GROUP, {}).load("acme").__name__ == "Source"


def test_a_name_of_ours_cannot_be_replaced(foreign):
    import csv

    assert Plugins(GROUP, {"csv": "csv:reader"}).load("csv") is csv.reader


def test_an_unknown_name_is_named_with_its_neighbours(foreign):
    with pytest.raises(PluginNotFound) as caught:
        Plugins(GROUP, {}).load("acmee")

    assert "'acme'" in caught.value.why


@pytest.mark.parametrize("ours", [{"x": "no_such_module_here:X"}, {"x": "csv:no_such_name"}])
def test_a_part_that_cannot_be_imported_says_why(ours):
    with pytest.raises(PluginBroken) as caught:
        Plugins(GROUP, ours).load("x")

    assert "no_such" in caught.value.why


def test_a_foreign_part_without_its_class_is_broken_and_not_missing(foreign):
    with pytest.raises(PluginBroken):
        Plugins(GROUP, {}).load("hollow")
