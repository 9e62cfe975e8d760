"""Training sets are kept with their lineage, are inputs of steps, and come out the same when made again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle import features as f
from treadle.faces.cli import entry
from treadle.kernel.catalog import LineageRows
from treadle.systems.features.training_sets import TrainingSetNamed, TrainingSetRoots

START = datetime(2013, 1, 1, tzinfo=UTC)
N = 80


@pytest.fixture
def workspace(tmp_path: Path):
    with td.open_workspace(tmp_path / "home") as opened, td.use(opened):
        hours = range(N)
        td.dataset("weather").land(
            pl.DataFrame(
                {
                    "origin": ["EWR"] * N,
                    "observed_at": [START + timedelta(hours=hour) for hour in hours],
                    "temp": [float(hour % 7) for hour in hours],
                    "arrived_late": [hour % 3 == 0 for hour in hours],
                }
            )
        )
        yield opened


def make_view(**changes: object) -> f.FeatureView:
    parts: dict = {
        "name": "weather",
        "keys": ["origin"],
        "dataset": "weather",
        "event_time": "observed_at",
        "known_at": timedelta(0),
        "features": {"temp": "temp", "mean_temp": f.mean("temp", hours=6)},
    }
    return f.FeatureView(**{**parts, **changes})


def make_entities() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "origin": ["EWR"] * N + ["XXX"],
            "as_of": [START + timedelta(hours=hour, minutes=30) for hour in range(N)] + [START],
            "late": [hour % 3 == 0 for hour in range(N)] + [True],
        }
    )


@td.step
def size(rows: pl.DataFrame) -> int:
    return len(rows)


@td.step
def draw() -> pl.DataFrame:
    return make_entities()


@td.pipeline
def training():
    made = td.training_set(draw(), [make_view()], name="late-arrival", label="late")
    return td.load(size(made))


def test_training_set_is_kept_reported_and_found_again(workspace):
    made = td.training_set(make_entities(), [make_view()], name="late-arrival")

    table = made.table()
    assert table.columns[:5] == ["origin", "as_of", "late", "temp", "mean_temp"]
    assert table["temp"].null_count() == 1
    text = str(made)
    assert "80 (98.8%)" in text
    assert "30.0 min" in text
    assert "1 had no row" in text
    [again] = workspace.training_sets.list(workspace.caller)
    assert again == made.record


def test_training_set_is_an_input_of_a_step_and_lineage_names_what_made_it(workspace):
    run = training()

    [record] = workspace.training_sets.list(workspace.caller)
    with workspace.store.read() as reader:
        edges = LineageRows().of_digest(reader, workspace.project, record.digest)
        used = LineageRows().of_run(reader, workspace.project, record.run)
    assert run.value == N + 1
    assert {(edge.direction, edge.role, edge.producer) for edge in edges} == {
        ("out", "training_set", record.run),
        ("in", "rows", record.run),
    }
    assert {edge.role for edge in used if edge.direction == "in"} == {"entities", "dataset[weather]"}


def test_training_set_is_made_again_to_the_bit_after_more_has_landed(workspace, capsys):
    made = td.training_set(make_entities(), [make_view()], name="late-arrival")
    td.dataset("weather").land(pl.DataFrame({"origin": ["EWR"], "observed_at": [START], "temp": [99.0], "arrived_late": [True]}))  # fmt: skip

    code = entry.main(["features", "training-sets", "rebuild", "late-arrival", "--home", str(workspace.home), "--json"])

    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert answer["is_same"]
    assert answer["found"] == made.digest


def test_feature_that_tells_the_label_is_warned_of(workspace):
    leaky = make_view(features={"temp": "temp", "outcome": "arrived_late"})

    made = td.training_set(make_entities(), [leaky], name="late-arrival", label="late")

    [warning] = made.record.warnings
    assert warning.startswith("outcome tells the label")
    assert "temp " not in warning


def test_live_views_know_rows_from_their_landing_on(workspace):
    live = make_view(known_at="live", features={"temp": "temp"})
    now = pl.DataFrame({"origin": ["EWR", "EWR"], "as_of": [START + timedelta(days=9), datetime.now(UTC)]})

    made = td.training_set(now, [live])

    assert made.table()["temp"].to_list() == [None, float((N - 1) % 7)]


def test_commands_list_and_show_training_sets_and_name_the_missing_one(workspace, capsys):
    td.training_set(make_entities(), [make_view()], name="late-arrival")
    home = ["--home", str(workspace.home)]

    assert entry.main(["features", "training-sets", "list", *home]) == 0
    assert "late-arrival" in capsys.readouterr().out
    assert entry.main(["features", "training-sets", "show", "late-arrival", *home]) == 0
    assert "weather  80 (98.8%)" in capsys.readouterr().out
    assert entry.main(["features", "training-sets", "show", "late-arival", *home]) != 0
    assert "late-arrival" in capsys.readouterr().err


def test_clean_up_leaves_every_training_set_that_had_a_name(workspace):
    first = td.training_set(make_entities().head(5), [make_view()], name="late-arrival")
    second = td.training_set(make_entities(), [make_view()], name="late-arrival")

    with workspace.store.read() as reader:
        needed = set(TrainingSetRoots(workspace.refs).needed(reader, workspace.project))

    records = [first.record, second.record]
    assert {digest for record in records for digest in (record.digest, record.entities)} <= needed
    assert len(needed) == 6  # and the two records themselves
    named = TrainingSetNamed(name="late-arrival")
    assert workspace.training_sets.get(workspace.caller, named) == second.record


def test_a_view_is_shown_in_words(workspace, capsys):
    late = pl.col("temp") > 3
    features = {
        "hot": pl.col("temp") * 2,
        "mean_temp": f.mean("temp", hours=6),
        "hot_hours": f.count(hours=6, where=late),
    }
    view = make_view(features=features, owner="ada", units={"hot": "°F"}, description="Observations.")
    service = f.FeatureService(name="known", views=[view], features=["mean_temp", "hot"])
    workspace.features.register(workspace.caller, service)
    home = ["--home", str(workspace.home)]

    assert entry.main(["features", "show", "weather", *home]) == 0
    shown = capsys.readouterr().out
    assert entry.main(["features", "show", "known", *home]) == 0
    listed = capsys.readouterr().out

    for words in ("Observations.", "ada", "observed_at", "°F", "mean", "6h" if "6h" in shown else "6:00:00"):
        assert words in shown
    assert '[(col("temp")) * (dyn int: 2)]' in shown
    assert '[(col("temp")) > (dyn int: 3)]' in shown
    assert "Literal" not in shown
    assert "weather" in listed
    assert listed.index("mean_temp") < listed.index("hot")


def test_a_plan_names_the_training_set_and_makes_none(workspace):
    plan = workspace.engine.plan(training, {})

    assert [step.path for step in plan.steps if step.verdict == "act"] == ["training/snapshot", "training/training_set"]
    assert workspace.training_sets.list(workspace.caller) == []


def test_a_registered_service_is_said_as_sql_that_gives_the_training_set(workspace, capsys):
    import duckdb

    made = td.training_set(make_entities(), [make_view()]).table()
    workspace.features.register(workspace.caller, f.FeatureService(name="late", views=[make_view()], features=["mean_temp", "temp"]))  # fmt: skip
    words = [
        "features",
        "sql",
        "late",
        "--column",
        "late",
        "--table",
        "weather=raw.weather",
        "--home",
        str(workspace.home),
    ]

    assert entry.main([*words, "--json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        given = workspace.datasets.scan(workspace.project, workspace.datasets.snapshot(workspace.project, "weather")).collect().to_arrow()  # fmt: skip
        connection.register("given", given)
        connection.execute("create table raw.weather as from given")
        connection.register("entities", make_entities().to_arrow())
        found = pl.from_arrow(connection.sql(answer["sql"]).to_arrow_table())
    assert answer["features"] == ["mean_temp", "temp"]
    assert found.sort("as_of", "origin")["temp"].to_list() == made.sort("as_of", "origin")["temp"].to_list()
