"""Artifacts, runs, edges: what the catalog records, it finds again as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog import ArtifactNotFound, ArtifactRows, Edge, LineageRows, Run, RunNotFound, RunRows
from treadle.kernel.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ARTIFACT = Artifact(digest="sha256:a", kind="value", codec="json", size_bytes=2, inline=b"42", meta={"n": 1})


def make_run(run_id: str, **changes: object) -> Run:
    run = Run(
        project="p", id=run_id, kind="pipeline", name="retrain", path="retrain", parent=None, root=run_id, status="done",
        attempt=1, epoch=1, key=None, key_parts={"code": "sha256:c"}, code_digest=None, bundle_digest=None,
        environment_digest=None, params={"until": "now"}, seed=0, now_at=NOW, actor="ada", host="h", pid=1, caused_by=None,
        reused_from=None, notes=None, error=None, event_at=None, recorded_at=NOW, started_at=NOW, ended_at=None,
        lease_owner=None, lease_until=None,
    )  # fmt: skip
    return replace(run, **changes)  # type: ignore[arg-type]


def test_an_artifact_is_found_only_in_its_own_project(any_store: Store) -> None:
    rows = ArtifactRows()
    any_store.write(lambda tx: rows.record(tx, "p", [ARTIFACT, ARTIFACT], at=NOW))

    with any_store.read() as reader:
        assert rows.get(reader, "p", "sha256:a") == ARTIFACT
        assert rows.find(reader, "other", "sha256:a") is None
        with pytest.raises(ArtifactNotFound):
            rows.get(reader, "other", "sha256:a")


def test_recording_an_artifact_again_keeps_the_first_bytes(any_store: Store) -> None:
    rows = ArtifactRows()
    any_store.write(lambda tx: rows.record(tx, "p", [ARTIFACT], at=NOW))
    any_store.write(lambda tx: rows.record(tx, "p", [replace(ARTIFACT, inline=None, blob="sha256:b")], at=NOW))

    with any_store.read() as reader:
        assert rows.get(reader, "p", "sha256:a").inline == b"42"


def test_bytes_that_come_later_complete_a_digest_kept_without_them(any_store: Store) -> None:
    rows = ArtifactRows()
    any_store.write(lambda tx: rows.record(tx, "p", [replace(ARTIFACT, inline=None)], at=NOW))
    any_store.write(lambda tx: rows.record(tx, "p", [ARTIFACT], at=NOW))

    with any_store.read() as reader:
        assert rows.get(reader, "p", "sha256:a").inline == b"42"


def test_a_run_comes_back_as_it_was_recorded(any_store: Store) -> None:
    rows, run = RunRows(), make_run("run_1", error={"type": "ValueError", "text": "naïve"})
    any_store.write(lambda tx: rows.insert(tx, run))

    with any_store.read() as reader:
        assert rows.get(reader, "p", "run_1") == run
        with pytest.raises(RunNotFound) as refused:
            rows.get(reader, "p", "run_2")
    assert "run_1" in refused.value.why


def test_runs_are_paged_newest_first(any_store: Store) -> None:
    rows = RunRows()
    ids = [f"run_{n}" for n in range(5)]
    any_store.write(lambda tx: [rows.insert(tx, make_run(run_id)) for run_id in ids])
    any_store.write(lambda tx: rows.insert(tx, make_run("run_9", parent="run_4", root="run_4", kind="step")))

    with any_store.read() as reader:
        first = rows.top(reader, "p", limit=3)
        second = rows.top(reader, "p", limit=3, after=first.next)
        inside = rows.children(reader, "p", "run_4")

    assert [run.id for run in first.items] == ["run_4", "run_3", "run_2"]
    assert [run.id for run in second.items] == ["run_1", "run_0"]
    assert second.next is None
    assert [run.id for run in inside] == ["run_9"]


def test_runs_of_several_kinds_are_one_list_with_the_newest_first(any_store: Store) -> None:
    rows = RunRows()
    kinds = {"run_0": "pipeline", "run_1": "tracking", "run_2": "act", "run_3": "pipeline", "run_4": "tracking"}
    any_store.write(lambda tx: [rows.insert(tx, make_run(run, kind=kind)) for run, kind in kinds.items()])

    with any_store.read() as reader:
        first = rows.top(reader, "p", kinds=("pipeline", "tracking"), limit=3)
        second = rows.top(reader, "p", kinds=("pipeline", "tracking"), limit=3, after=first.next)

    assert [run.id for run in first.items] == ["run_4", "run_3", "run_1"]
    assert [run.id for run in second.items] == ["run_0"]


def test_an_edge_names_the_run_that_made_what_it_uses(any_store: Store) -> None:
    rows = LineageRows()
    edges = [
        Edge(run="run_1", direction="out", role="result", digest="sha256:a", producer="run_1"),
        Edge(run="run_2", direction="in", role="rows", digest="sha256:a", producer="run_1"),
    ]
    any_store.write(lambda tx: rows.record(tx, "p", [*edges, *edges]))

    with any_store.read() as reader:
        assert rows.of_digest(reader, "p", "sha256:a") == edges
        assert rows.of_run(reader, "p", "run_2") == edges[1:]
        assert rows.producers(reader, "p", "sha256:a") == ["run_1"]
