"""A file lands when it is whole, and not before."""

from __future__ import annotations

import os
from pathlib import Path

from tests.systems.collect.conftest import ADA, Home
from treadle.systems.collect import FileSource
from treadle.systems.collect.connectors.files import FilesSource, SettledFiles


def rows(home: Home) -> list[int]:
    return sorted(home.datasets.scan("default", home.datasets.snapshot("default", "days")).collect()["day"])


def test_a_file_that_still_changes_waits_for_the_next_run(home, tmp_path):
    (tmp_path / "done.csv").write_text("day\n1\n")
    (tmp_path / "open.csv").write_text("day\n2\n")

    def meanwhile(seconds: float) -> None:
        with (tmp_path / "open.csv").open("a") as file:
            file.write("3\n")

    files = FileSource("*.csv", root=tmp_path, name="days")
    first = home.datasets.land(ADA, "days", SettledFiles(files, tmp_path, 1.0, sleep=meanwhile))
    assert (len(first), rows(home)) == (1, [1])

    home.datasets.land(ADA, "days", SettledFiles(files, tmp_path, 1.0, sleep=lambda seconds: None))
    assert rows(home) == [1, 2, 3]


def test_a_file_that_comes_or_goes_during_the_look_waits_too(home, tmp_path):
    (tmp_path / "gone.csv").write_text("day\n1\n")
    (tmp_path / "swapped.csv").write_text("day\n2\n")

    def meanwhile(seconds: float) -> None:
        (tmp_path / "gone.csv").unlink()
        (tmp_path / "new.csv").write_text("day\n3\n")
        before = (tmp_path / "swapped.csv").stat()
        (tmp_path / "other").write_text("day\n4\n")
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "other").rename(tmp_path / "swapped.csv")

    files = FileSource("*.csv", root=tmp_path, name="days")

    assert home.datasets.land(ADA, "days", SettledFiles(files, tmp_path, 1.0, sleep=meanwhile)) == []


def test_nobody_waits_where_there_is_nothing_new(home, tmp_path):
    slept: list[float] = []
    (tmp_path / "a.csv").write_text("day\n1\n")
    source = SettledFiles(FileSource("*.csv", root=tmp_path, name="days"), tmp_path, 5.0, sleep=slept.append)

    home.datasets.land(ADA, "days", source)
    home.datasets.land(ADA, "days", source)

    assert slept == [5.0]


def test_the_declared_options_reach_the_reader(home, tmp_path):
    (tmp_path / "a.txt").write_bytes("day;name\n1;Zoë\n-;x\n".encode("latin-1"))
    source = FilesSource(pattern="*.txt", separator=";", encoding="latin-1", null_values=["-"], settle_s=0)

    home.datasets.land(ADA, "days", source.open("days", Path(tmp_path)))

    frame = home.datasets.scan("default", home.datasets.snapshot("default", "days")).collect()
    assert frame.select("day", "name").rows() == [(1, "Zoë"), (None, "x")]
