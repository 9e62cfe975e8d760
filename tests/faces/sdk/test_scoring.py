"""A whole snapshot is scored by the engine that would serve, as a step with its lineage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import treadle as td
from tests.systems.serve.models import flights_model
from treadle.kernel.catalog import LineageRows
from treadle.systems.serve.batch_scoring import score_frame
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.runtime.models import load_model, write_model

ROWS = pl.DataFrame({"id": range(7), "warm": np.linspace(-3, 3, 7), "sold_out": [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]})


@td.step
def learn(rows: pl.DataFrame) -> "LogisticRegression":  # noqa: F821, UP037
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(rows.select("warm").to_numpy(), rows["sold_out"].to_numpy())


@td.pipeline
def train() -> int:
    signature = td.signature(ROWS, features=["warm"], task="binary", threshold=0.5)
    rows = td.dataset("days").snapshot()
    return td.register("sold-out", learn(rows), signature=signature, probe=ROWS).number


@td.pipeline
def nightly() -> str:
    scored = td.batch_score(td.model("sold-out"), td.dataset("days").snapshot())
    return scored.digest  # type: ignore[attr-defined, no-any-return]


def test_a_snapshot_is_scored_as_a_step_with_an_edge_from_model_and_rows(tmp_path: Path) -> None:
    with td.open_workspace(tmp_path / "home") as workspace, td.use(workspace):
        td.dataset("days").land(ROWS)
        train()
        run = nightly()
        again = nightly()
        by_hand = td.batch_score(td.model("sold-out"), ROWS)
        with workspace.store.read() as reader:
            producer = LineageRows().producers(reader, workspace.project, run.value)[0]
            edges = {edge.role: edge.digest for edge in LineageRows().of_run(reader, workspace.project, producer)}
            model = workspace.registry.models.resolve(reader, workspace.project, "sold-out", "1").digest

    assert run.status == again.status == "done"
    assert again.value == run.value
    assert by_hand["decision"].to_list() == [True, True, True, False, False, False, False]
    assert by_hand["model_version"].unique().to_list() == ["1"]
    assert edges["model"] == model
    assert "rows" in edges


def test_batches_change_nothing_and_other_columns_are_kept(tmp_path: Path) -> None:
    model = flights_model(numeric=True)
    served = load_model(tmp_path, write_model(tmp_path, model.manifest, model.content))
    rows = pl.DataFrame(np.random.default_rng(1).normal(size=(25, 3)), schema=["a", "b", "c"]).with_row_index("id")

    whole, parts = (score_frame(served, rows, version="3", batch_rows=n) for n in (10_000, 4))

    assert whole.equals(parts)
    assert whole.columns == ["id", "a", "b", "c", "probability", "decision", "model_version"]
    with pytest.raises(BadDeployment, match="no column 'c'"):
        score_frame(served, rows.drop("c"), version="3")
    with pytest.raises(BadDeployment, match="a column 'label' already"):
        score_frame(served, rows.with_columns(label=pl.lit("x")), version="3")
