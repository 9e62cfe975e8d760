"""Whatever a store holds comes in as it is, goes out as it is, and a check finds any one field that is not alike."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.train.moving.fakes import MemoryStore, experiment, own, quiet, run, workspace
from treadle.systems.train.moving.comparing import compare
from treadle.systems.train.moving.exporting import FolderExport
from treadle.systems.train.moving.folder_store import FolderStore
from treadle.systems.train.moving.places import Places
from treadle.systems.train.moving.records import Points, StoredModel, StoredVersion
from treadle.systems.train.tracking.records import DatasetInput, LoggedModel, ModelOutput, ModelPoint, Pair
from treadle.systems.train.tracking.rules import GREATEST

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
KEYS = st.sampled_from(["a", "b/c", "loss", "naïve 漢字", "x.y z-1"])
TIMES = st.integers(1, 2**41)
VALUES = st.floats(allow_infinity=False) | st.sampled_from([GREATEST, -GREATEST, math.nan])
PATHS = st.sampled_from(["model/MLmodel", "a.txt", "sub dir/ü.bin", "deep/er/x"])
HEX = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")


@st.composite
def stores(draw: Callable[..., Any]) -> MemoryStore:
    """A small store with something of everything."""
    store = MemoryStore()
    count = draw(st.integers(1, 3))
    store.of_experiments = [experiment(0, "Default")] + [
        experiment(
            number, f"e{number}", lifecycle=draw(st.sampled_from(["active", "deleted"])), created_ms=draw(TIMES),
            updated_ms=draw(TIMES), tags=draw(st.dictionaries(KEYS, TEXTS, max_size=2)),
        )
        for number in range(1, count)
    ]  # fmt: skip
    ids = draw(st.lists(HEX, min_size=1, max_size=3, unique=True))
    models = [f"m-{one}" for one in draw(st.lists(HEX, max_size=1))]
    for one in ids:
        points = Points()
        for _ in range(draw(st.integers(0, 6))):
            points.add(draw(KEYS), draw(VALUES), draw(st.integers(-3, 3)), draw(TIMES))
        is_deleted = draw(st.booleans())
        store.of_runs.append(
            run(
                one,
                draw(st.integers(0, count - 1)),
                name=draw(TEXTS),
                status=draw(st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"])),
                start_ms=draw(TIMES),
                end_ms=draw(st.none() | TIMES),
                lifecycle="deleted" if is_deleted else "active",
                deleted_ms=draw(TIMES) if is_deleted else None,
                params=draw(st.dictionaries(KEYS, TEXTS, max_size=2)),
                tags=draw(st.dictionaries(KEYS, TEXTS, max_size=2)),
                points=points,
                datasets=draw(st.lists(datasets(), max_size=1)),
                models=models,
                outputs=[ModelOutput(model, 2) for model in models],
            )
        )
        store.of_files[f"memory:/{one}"] = draw(st.dictionaries(PATHS, st.binary(max_size=9), max_size=2))
    for model in models:
        store.of_logged_models.append(draw(logged_models(model, ids[0])))
        store.of_files[f"memory:/{model}"] = {"MLmodel": b"flavors: {}"}
    store.of_models = draw(st.lists(registered(ids[0], models), max_size=1))
    return store


@st.composite
def datasets(draw: Callable[..., Any]) -> DatasetInput:
    return DatasetInput(
        name=draw(st.sampled_from(["flights", "weather"])), digest="d1", source_type="local", source="s3://x",
        schema="{}", profile=None, tags=[Pair("mlflow.data.context", draw(TEXTS))],
    )  # fmt: skip


@st.composite
def logged_models(draw: Callable[..., Any], model: str, source: str) -> LoggedModel:
    return LoggedModel(
        model=model, experiment=0, name="m", artifact_location=f"memory:/{model}", created_ms=draw(TIMES),
        updated_ms=draw(TIMES), status=draw(st.integers(1, 3)), lifecycle="active", model_type=draw(st.none() | st.just("t")),
        source_run=source, status_message=None, params=[Pair("p", draw(TEXTS))], tags=[Pair("t", draw(TEXTS))],
        metrics=[ModelPoint("acc", draw(st.none() | st.floats(0, 1)), 3, 1, model, source, "flights", "d1")],
    )  # fmt: skip


@st.composite
def registered(draw: Callable[..., Any], of_run: str, models: list[str]) -> StoredModel:
    sources = [f"runs:/{of_run}/model", "s3://bucket/model", *(f"models:/{model}" for model in models)]
    versions = []
    for number in sorted(draw(st.sets(st.integers(1, 9), max_size=3))):
        source = draw(st.sampled_from(sources))
        versions.append(
            StoredVersion(
                number=number, source=source, location=None, run_id=of_run, run_link=None,
                logged_model=source.removeprefix("models:/") if source.startswith("models:/") else None,
                description=draw(st.none() | TEXTS), stage=draw(st.sampled_from(["None", "Staging", "Archived"])),
                created_ms=draw(TIMES), updated_ms=draw(TIMES), tags=draw(st.dictionaries(KEYS, TEXTS, max_size=1)),
            )
        )  # fmt: skip
    aliases = {"champion": versions[-1].number} if versions and draw(st.booleans()) else {}
    return StoredModel(
        name="late", description=draw(st.none() | TEXTS), created_ms=draw(TIMES), updated_ms=draw(TIMES),
        tags=draw(st.dictionaries(KEYS, TEXTS, max_size=1)), aliases=aliases, versions=versions,
    )  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(stores())
def test_a_store_comes_in_goes_out_and_stays_what_it_is(store: MemoryStore) -> None:
    with tempfile.TemporaryDirectory() as name, workspace(Path(name) / "home") as found:
        first = found.tracking.moving.bring(found.caller, store, is_dry_run=False, progress=quiet)
        again = found.tracking.moving.bring(found.caller, store, is_dry_run=False, progress=quiet)
        compared = compare(store, own(found), progress=quiet)
        folder = Path(name) / "mlruns"
        left = FolderExport(own(found), folder).write().left
        out = compare(own(found), FolderStore(folder, Places([folder])), progress=quiet)

    assert first.runs == len(store.of_runs)
    assert (again.runs, again.logged_models, again.models, again.versions, again.files) == (0, 0, 0, 0, 0)
    assert compared.is_alike, compared.differences
    assert all(there == here for there, here in compared.digests.values())
    assert all(one.what.startswith("files of version") for one in left)  # those at s3://
    assert out.is_alike, out.differences


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(stores(), st.data())
def test_a_check_finds_any_field_that_differs(store: MemoryStore, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(store.of_runs) - 1))
    before = store.of_runs[place]
    changed = data.draw(
        st.sampled_from(
            [
                replace(before, name=before.name + "!"),
                replace(before, start_ms=(before.start_ms or 0) + 1),
                replace(before, params={**before.params, "other": "1"}),
                replace(before, tags={**before.tags, "other": "1"}),
                replace(before, points=_one_more(before.points)),
                replace(before, outputs=[*before.outputs, ModelOutput("m-other", 1)]),
            ]
        )
    )
    with tempfile.TemporaryDirectory() as name, workspace(Path(name)) as found:
        found.tracking.moving.bring(found.caller, store, is_dry_run=False, progress=quiet)
        store.of_runs[place] = changed

        compared = compare(store, own(found), progress=quiet)

    assert compared.differing == 1
    assert compared.differences[0].what == f"run {before.run}"
    assert compared.digests["runs"][0] != compared.digests["runs"][1]


def _one_more(points: Points) -> Points:
    more = Points([*points.keys], [*points.values], [*points.steps], [*points.times])
    more.add("other", 0.5, 0, 1)
    return more
