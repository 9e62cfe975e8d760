"""Steps on a real, local Ray: by digest through the artifact store, logged, limited, and mourned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.engine import sample_steps as sample
from tests.kernel.engine.engines import make_engine, rows
from treadle.backends.ray import RayExecutor
from treadle.kernel.engine import load
from treadle.kernel.engine.errors import StepTimedOut, WorkerDied

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(180)]


def test_steps_run_on_ray_and_say_how_they_end(tmp_path: Path) -> None:
    """One test for all, since starting Ray takes seconds."""
    engine = make_engine(tmp_path)
    engine._executor_makers["ray"] = lambda: RayExecutor(engine.artifacts, num_cpus=2)
    try:
        run = engine.run(sample.fanned, {"n": 6}, executor="ray")
        late = engine.run(sample.named, {"name": "sleeping", "argument": str(tmp_path / "child")}, executor="ray")
        dead = engine.run(sample.named, {"name": "killed", "argument": 1}, executor="ray")
        noisy = engine.run(sample.named, {"name": "printing_bytes", "argument": 1}, executor="ray")
        kept = engine.run(sample.named, {"name": "resuming", "argument": str(tmp_path)}, executor="ray")
        again = engine.run(sample.fanned, {"n": 6})
        value, metrics = load(run.value), dict(run.value.metrics)
    finally:
        engine.close()
        engine.store.close()

    assert (value, metrics) == (21, {"count": 6.0})
    assert isinstance(late.error, StepTimedOut)
    assert isinstance(dead.error, WorkerDied)
    assert noisy.status == "done"
    assert kept.status == "done"
    assert again.counts["cached"] == 7
    engine = make_engine(tmp_path)
    log = "".join(content for (content,) in rows(engine, "select content from log_chunk order by run, ordinal"))
    engine.store.close()
    assert "summing 6" in log
    assert "raw\n" in log
    assert "from a child\n" in log
