"""A contract inside a step leaves out what breaks it, and says how much."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.faces.cli.commands.projects import BAD_ROWS, DAYS, project_files, sales_csv
from treadle.faces.sdk.contracts import TableNotInContract


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "sales.odcs.yaml"
    path.write_text({str(name): text for name, text in project_files("cafe").items()}["contracts/sales.odcs.yaml"])
    return path


def test_what_breaks_the_contract_is_left_out_and_counted_by_rule(contract, capsys):
    rows = pl.read_csv(sales_csv().encode(), try_parse_dates=True)

    kept = td.conforming(rows, contract)

    assert kept.height == DAYS - len(BAD_ROWS)
    assert kept.equals(rows.with_row_index().filter(~pl.col("index").is_in(list(BAD_ROWS))).drop("index"))
    assert "3 of 365 rows of sales break the contract: temperature_c.range 1, cups.range 2" in capsys.readouterr().out


def test_rows_that_all_keep_it_come_back_as_they_are(contract, capsys):
    rows = pl.read_csv(sales_csv().encode(), try_parse_dates=True).head(20)

    assert td.conforming(rows, contract).equals(rows)
    assert capsys.readouterr().out == ""


def test_a_repeated_key_stays_once(contract):
    rows = pl.read_csv(sales_csv().encode(), try_parse_dates=True).head(20)

    assert td.conforming(pl.concat([rows, rows]), contract).equals(rows)


def test_a_table_that_the_contract_does_not_describe_is_named(contract):
    with pytest.raises(TableNotInContract) as caught:
        td.conforming(pl.DataFrame({"cups": [1]}), contract, table="sale")

    assert "'sales'" in caught.value.why
