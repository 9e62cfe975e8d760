"""Reads that a step did not declare are noticed, whoever makes them; what is declared or its own is not reported."""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

from treadle.ground.errors import NotFound
from treadle.kernel.engine.code import fingerprint
from treadle.kernel.engine.observing import DeclaredFile, DeclaredVariable, env, file, observe


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One table in every format, written well before any step begins."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow", compression="uncompressed")
    frame.write_json(tmp_path / "t.json")
    frame.write_ndjson(tmp_path / "t.ndjson")
    np.save(tmp_path / "t.npy", np.arange(3))
    with sqlite3.connect(tmp_path / "t.sqlite") as connection:
        connection.execute("create table t (a)")
    connection.close()
    for each in tmp_path.iterdir():
        os.utime(each, (1_700_000_000, 1_700_000_000))
    return tmp_path


def close(thing: Any) -> None:
    thing.close()


# lambdas, since a function taken by name before the first step is out of sight
READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "open": ("t.csv", lambda path: close(open(path))),  # noqa: SIM115, PTH123
    "Path.read_text": ("t.csv", lambda path: Path(path).read_text()),
    "os.open": ("t.csv", lambda path: os.close(os.open(path, os.O_RDONLY))),
    "csv": ("t.csv", lambda path: list(csv.reader(Path(path).read_text().splitlines()))),
    "numpy.load": ("t.npy", np.load),
    "numpy.fromfile": ("t.npy", np.fromfile),
    "sqlite3": ("t.sqlite", lambda path: close(sqlite3.connect(path))),
    "polars.read_csv": ("t.csv", lambda path: pl.read_csv(path)),
    "polars.read_csv by name": ("t.csv", lambda path: pl.read_csv(source=path)),
    "polars.read_parquet": ("t.parquet", lambda path: pl.read_parquet(Path(path))),
    "polars.read_ipc": ("t.arrow", lambda path: pl.read_ipc(path)),
    "polars.read_json": ("t.json", lambda path: pl.read_json(path)),
    "polars.read_ndjson": ("t.ndjson", lambda path: pl.read_ndjson(path)),
    "polars.scan_csv": ("t.csv", lambda path: pl.scan_csv(path).collect()),
    "polars.scan_parquet": ("t.parquet", lambda path: pl.scan_parquet([path]).collect()),
    "polars.scan_parquet by pattern": ("t.parquet", lambda path: pl.scan_parquet(path.replace("t.p", "*.p")).collect()),
    "pandas.read_csv": ("t.csv", lambda path: pd.read_csv(path)),
    "pandas.read_parquet": ("t.parquet", pd.read_parquet),
    "pandas.read_json": ("t.json", lambda path: pd.read_json(path)),
    "pyarrow.parquet.read_table": ("t.parquet", lambda path: pyarrow.parquet.read_table(path)),
    "pyarrow.parquet.ParquetFile": ("t.parquet", lambda path: close(pyarrow.parquet.ParquetFile(path))),
    "pyarrow.csv.read_csv": ("t.csv", lambda path: pyarrow.csv.read_csv(path)),
    "pyarrow.dataset": ("t.parquet", lambda path: pyarrow.dataset.dataset(path).to_table()),
    "pyarrow.feather": ("t.arrow", lambda path: pyarrow.feather.read_table(path)),
    "pyarrow.memory_map": ("t.arrow", lambda path: close(pa.memory_map(path))),
    "pyarrow.OSFile": ("t.arrow", lambda path: close(pa.OSFile(path))),
    "duckdb.read_csv": ("t.csv", lambda path: duckdb.read_csv(path).fetchall()),
    "duckdb.read_parquet": ("t.parquet", lambda path: duckdb.read_parquet(path).fetchall()),
    "duckdb.sql": ("t.parquet", lambda path: duckdb.sql(f"select * from '{path}'").fetchall()),
    "a duckdb connection": ("t.csv", lambda path: duckdb.connect().execute(f"from read_csv('{path}')").fetchall()),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_is_noticed(data: Path, reader: str) -> None:
    name, read = READERS[reader]
    path = str(data / name)

    with observe() as reads:
        read(path)

    assert reads.files == (path,)


@pytest.mark.parametrize("reader", READERS)
def test_a_declared_file_is_not_reported(data: Path, reader: str) -> None:
    name, read = READERS[reader]
    path = file(data / name)

    with observe(files=[path]) as reads:
        read(path)

    assert reads.files == ()


def test_nothing_is_noticed_outside_a_step(data: Path) -> None:
    with observe() as reads:
        pass
    pl.read_csv(data / "t.csv")
    (data / "t.csv").read_text()

    assert list(reads) == []


def test_an_address_is_reported_as_it_is() -> None:
    with observe() as reads, pytest.raises(Exception):  # noqa: B017  whatever Polars says of a bucket that is not there
        pl.read_parquet("file-that-is-no-scheme://bucket/t.parquet")

    assert reads.files == ("file-that-is-no-scheme://bucket/t.parquet",)


def test_what_the_step_wrote_itself_is_no_input(data: Path) -> None:
    with observe() as reads:
        (data / "own.txt").write_text("x")
        (data / "own.txt").read_text()
        time.sleep(0.02)  # native writers are told by the file's time, which ticks every few ms
        pl.DataFrame({"a": [1]}).write_parquet(data / "own.parquet")
        pl.read_parquet(data / "own.parquet")

    assert reads.files == ()


def test_sources_libraries_and_the_system_are_no_inputs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "fresh_module.py").write_text("X = 1\n")
    (data / ".treadle").mkdir()
    (data / ".treadle" / "store").write_text("x")
    os.utime(data / ".treadle" / "store", (1, 1))
    monkeypatch.syspath_prepend(str(data))

    with observe(ignored=[data / "home"]) as reads:
        import fresh_module  # type: ignore[import-not-found]

        Path("/proc/self/stat").read_text()
        Path(os.devnull).read_text()
        Path(pl.__file__).with_name("py.typed").read_text()
        Path(os.__file__).read_text()
        (data / ".treadle" / "store").read_text()

    sys.modules.pop("fresh_module")
    assert fresh_module.X == 1
    assert reads.files == ()


def test_a_file_in_a_declared_or_ignored_folder_is_not_reported(data: Path) -> None:
    with observe(files=[str(data)]) as declared:
        (data / "t.csv").read_text()
    with observe(ignored=[str(data)]) as ignored:
        (data / "t.csv").read_text()

    assert declared.files == ignored.files == ()


def test_variables_read_by_the_project_are_noticed_however_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")

    with observe() as reads:
        assert os.environ["REGION"] == os.environ.get("REGION") == "eu"
        os.getenv("ABSENT")
        assert "PRESENT" not in os.environ

    assert reads.environment == ("ABSENT", "PRESENT", "REGION")
    assert list(reads) == ["$ABSENT", "$PRESENT", "$REGION"]


def test_declared_variables_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")

    with observe(variables=["REGION"]) as reads:
        assert os.environ["REGION"] == env("REGION") == "eu"

    assert reads.environment == ()


def test_threads_that_the_step_starts_are_observed(data: Path) -> None:
    path = data / "t.csv"

    with observe() as reads:
        thread = threading.Thread(target=path.read_text)
        thread.start()
        thread.join()

    assert reads.files == (str(path),)


def test_two_steps_at_once_are_told_apart(data: Path) -> None:
    found: dict[str, tuple[str, ...]] = {}
    barrier = threading.Barrier(2)

    def step(name: str) -> None:
        with observe() as reads:
            barrier.wait(10)
            (data / name).read_text()
            barrier.wait(10)
        found[name] = reads.files

    threads = [threading.Thread(target=copy_context().run, args=(step, name)) for name in ("t.csv", "t.json")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert found == {name: (str(data / name),) for name in ("t.csv", "t.json")}


def test_the_inner_of_two_observations_notices(data: Path) -> None:
    with observe() as outer, observe() as inner:
        (data / "t.csv").read_text()

    assert inner.files
    assert outer.files == ()


def test_libraries_are_neither_imported_nor_missed_when_imported_inside_a_step(data: Path) -> None:
    program = (
        "import sys\n"
        "from treadle.kernel.engine.observing import observe\n"
        "with observe() as reads:\n"
        "    assert not {'polars', 'pandas', 'pyarrow', 'duckdb'} & set(sys.modules)\n"
        "    import polars as pl, duckdb, pyarrow.parquet as pq\n"
        f"    pl.read_csv({str(data / 't.csv')!r})\n"
        f"    pq.read_table({str(data / 't.parquet')!r})\n"
        f"    duckdb.sql(\"select * from '{data / 't.json'}'\")\n"
        "print(*reads.files, sep='\\n')\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == sorted(str(data / name) for name in ("t.csv", "t.json", "t.parquet"))


def test_observed_classes_stay_themselves() -> None:
    with observe():
        pass

    assert isinstance(pa.memory_map, object)
    assert pl.read_csv.__module__.startswith("polars")
    assert pl.read_csv.__name__ == "read_csv"
    assert pyarrow.parquet.ParquetFile.__init__.__name__ == "__init__"


def test_observing_changes_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reading.py").write_text("from polars import read_csv\n\n\ndef tidy(x):\n    return read_csv(x)\n")
    program = (
        "import polars, sys\n"
        "from treadle.kernel.engine.code import fingerprint\n"
        "from treadle.kernel.engine.observing import observe\n"
        "with observe() if sys.argv[1] == 'observed' else open('reading.py'):\n"
        "    import reading\n"
        "    print(fingerprint(reading.tidy).digest)\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, how], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for how in ("observed", "plain")
    }

    assert len(digests) == 1


def test_observing_nothing_costs_under_three_microseconds() -> None:
    with observe():
        pass

    def once() -> float:
        start = time.perf_counter()
        for _ in range(200):
            with observe():
                pass
        return (time.perf_counter() - start) / 200

    assert min(once() for _ in range(100)) < 3e-6


def test_a_declared_file_is_a_path_with_the_digest_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("a\n1\n")
    declared = file(path)
    before = declared.digest

    path.write_text("a\n22\n")
    after = declared.digest
    path.write_text("a\n1\n")

    assert isinstance(declared, DeclaredFile)
    assert pl.read_csv(declared).height == 1
    assert os.fspath(declared) == declared.path == str(path)
    assert before != after
    assert declared.digest == before


def test_a_declared_folder_counts_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("1")
    before = file(tmp_path).digest

    (tmp_path / "a" / "x.txt").rename(tmp_path / "a" / "y.txt")

    assert file(tmp_path).digest != before


def test_a_missing_file_or_variable_is_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGION", raising=False)

    with pytest.raises(NotFound) as missing:
        file(tmp_path / "none.csv")
    assert missing.value.fix
    with pytest.raises(NotFound):
        env("REGION")
    assert env("REGION", default="eu") == "eu"


def test_a_declared_variable_shows_its_name_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    declared = env("TOKEN")

    assert isinstance(declared, DeclaredVariable)
    assert declared == "hunter2"
    assert "hunter2" not in repr(declared)
    assert "hunter2" not in declared.digest


def test_declarations_inside_a_body_or_a_module_enter_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rates.csv").write_text("1")
    (tmp_path / "other.csv").write_text("1")
    (tmp_path / "declaring_steps.py").write_text(
        "from treadle.kernel.engine.observing import env, file\n\nOTHER = file('other.csv')\n\n\n"
        "def tidy():\n    return open(file('rates.csv')).read(), env('REGION'), OTHER\n"
    )
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import declaring_steps  # type: ignore[import-not-found]

    first = fingerprint(declaring_steps.tidy)
    assert {"file rates.csv", "file other.csv", "environment variable REGION"} <= set(first.parts)
    assert first.files == (str(tmp_path / "other.csv"), str(tmp_path / "rates.csv"))
    assert first.variables == ("REGION",)

    (tmp_path / "rates.csv").write_text("22")
    second = fingerprint(declaring_steps.tidy)
    monkeypatch.setenv("REGION", "us")
    third = fingerprint(declaring_steps.tidy)
    (tmp_path / "other.csv").write_text("22")
    fourth = fingerprint(declaring_steps.tidy)

    assert len({each.digest for each in (first, second, third, fourth)}) == 4
    sys.modules.pop("declaring_steps")
