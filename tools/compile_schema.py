"""Writes the newest schema as ready-made SQL, one file a dialect, from the tables of every package.

A fresh store is made from these files (see `treadle/kernel/store/schema.py`); a test fails when they are stale, or when
they are not what the migrations lead to. Run it after any change to a `tables.py`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

import treadle
from treadle.kernel.store.metadata import metadata

MIGRATIONS = Path(treadle.__file__).parent / "migrations"
UNRELEASED_FIRST = True
"""Until the first release the first revision follows the tables; from then on it is frozen."""
DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}


def load_tables() -> None:
    """Imports every `tables` module of the package, so that all tables are on the metadata."""
    for module in pkgutil.walk_packages(treadle.__path__, "treadle."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)


def schema_of(dialect: str) -> str:
    """The statements that make every table and index, in an order that holds still."""
    lines = ["-- Made by tools/compile_schema.py from the tables.py of every package. Do not edit.", ""]
    for table in sorted(metadata.sorted_tables, key=lambda table: table.name):
        lines += [str(CreateTable(table).compile(dialect=DIALECTS[dialect])).strip() + ";", ""]
        for index in sorted(table.indexes, key=lambda index: index.name or ""):
            lines += [str(CreateIndex(index).compile(dialect=DIALECTS[dialect])).strip() + ";", ""]
    text = "\n".join(line.rstrip() for line in "\n".join(lines).replace("\t", "    ").splitlines())
    return text + "\n"


def targets(dialect: str) -> list[Path]:
    """The files that hold the newest schema of a dialect."""
    files = [MIGRATIONS / "schema" / f"{dialect}.sql"]
    if UNRELEASED_FIRST:
        files.append(MIGRATIONS / "versions" / f"r0001_first.{dialect}.sql")
    return files


def main() -> int:
    """Writes the files, or with `--check` says which of them are stale."""
    load_tables()
    stale = []
    for dialect in DIALECTS:
        text = schema_of(dialect)
        for path in targets(dialect):
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(f"{path.parent.name}/{path.name}")
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}; run: python tools/compile_schema.py")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
