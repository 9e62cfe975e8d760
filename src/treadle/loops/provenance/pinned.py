"""The snapshots on which a step rests: its own inputs, or, where it has none, those of the steps before it."""

from __future__ import annotations

from treadle.kernel.catalog import LineageRows, Run, RunRows
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.loops.provenance.upward import Upward


def pinned_snapshots(up: Upward, run: Run) -> dict[str, Snapshot]:
    """Dataset -> snapshot, the nearest above the run; of two that are as near, the newer."""
    edges, runs = LineageRows(), RunRows()
    found: dict[str, Snapshot] = {}
    level, seen = [run], {run.id}
    while level:
        here: dict[str, Snapshot] = {}
        above: list[Run] = []
        for each in level:
            if each.reused_from is not None and (original := runs.find(up.reader, up.project, each.reused_from)):
                each = original
            for edge in edges.of_run(up.reader, up.project, each.id):
                if edge.direction != "in" or edge.producer is None or edge.producer in seen:
                    continue
                seen.add(edge.producer)
                if edge.producer.startswith("snap_"):
                    snapshot = up.landed.snapshot(up.reader, edge.producer)
                    held = None if snapshot is None else here.get(snapshot.dataset)
                    if snapshot is not None and (held is None or held.version < snapshot.version):
                        here[snapshot.dataset] = snapshot
                elif maker := runs.find(up.reader, up.project, edge.producer):
                    above.append(maker)
        found = {**here, **found}
        level = above
    return found
