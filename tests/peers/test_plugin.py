"""`treadle://` in a stock client: the plug-in is found by its entry points, works without a server, and knows its step."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.peers.servers import PEERS_PYTHON, ROOT, client_environment
from treadle.assembly import Workspace, open_workspace
from treadle.ground.ids import mlflow_id
from treadle.kernel.catalog import Run, RunRows
from treadle.systems.train.tracking.requests import TrackedRunNamed

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The stock client's environment with Treadle beside it, as `pip install treadle` would put it there."""
    site = tmp_path / "site"
    facts = site / "treadle-0.dist-info"
    facts.mkdir(parents=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: treadle\nVersion: 0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (facts / "entry_points.txt").write_text("\n".join(groups))
    libraries = sysconfig.get_paths()["purelib"]
    (site / "sitecustomize.py").write_text(f"import sys\nsys.path.append({libraries!r})\n")
    return {**client_environment(), "PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "src")])}


def run(environment: dict[str, str], folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(PEERS_PYTHON), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0 or not check, done.stdout[-2000:] + done.stderr[-6000:]
    return done


def test_a_stock_client_works_in_process_without_a_server(environment, tmp_path):
    home = tmp_path / "home"

    done = run(environment, tmp_path, str(PROGRAMS / "in_process.py"), f"treadle://{home}?project=here")

    with open_workspace(home, project="here") as workspace:
        tracked = workspace.tracking.runs.get(workspace.caller, TrackedRunNamed(run=done.stdout.split()[-1]))
    assert (tracked.name, tracked.user_id != "") == ("first", True)


@pytest.mark.parametrize("executor", ["in-process", "pool"])
def test_what_a_step_logs_lands_on_the_step_s_own_run(environment, tmp_path, executor):
    home = tmp_path / "home"
    (tmp_path / "work.py").write_text((PROGRAMS / "logging_steps.py").read_text())
    command = ["-m", "treadle.faces.cli.entry", "run", "work.py:work", "--home", str(home)]

    run({**environment, "TREADLE_EXECUTOR": executor}, tmp_path, *command)

    with open_workspace(home) as workspace:
        steps = {each.path: each.id for each in runs_of(workspace) if each.kind == "step"}
        tracked = [
            workspace.tracking.runs.get(workspace.caller, TrackedRunNamed(run=mlflow_id(steps[path])))
            for path in ("work/train", "work/train#2")
        ]
        folds = [each for each in runs_of(workspace) if each.kind == "tracking"]
    assert [{param.key: param.value for param in each.params} for each in tracked] == [{"rate": "0.1"}, {"rate": "0.2"}]
    assert [[metric.key for metric in each.metrics] for each in tracked] == [["loss"], ["loss"]]
    assert [each.status for each in tracked] == ["FINISHED", "FINISHED"]
    assert {each.parent for each in folds} == set(steps.values())


def test_a_step_that_fails_leaves_a_failed_run(environment, tmp_path):
    home = tmp_path / "home"
    (tmp_path / "work.py").write_text((PROGRAMS / "logging_steps.py").read_text())

    run(
        environment,
        tmp_path,
        *("-m", "treadle.faces.cli.entry", "run", "work.py:broken", "--home", str(home)),
        check=False,
    )

    with open_workspace(home) as workspace:
        step = next(each for each in runs_of(workspace) if each.name == "fail")
        tracked = workspace.tracking.runs.get(workspace.caller, TrackedRunNamed(run=mlflow_id(step.id)))
    assert (step.status, tracked.status) == ("failed", "FAILED")


def runs_of(workspace: Workspace) -> list[Run]:
    """Every run of the project, those of steps and of tracking clients among them."""
    rows = RunRows()
    with workspace.store.read() as reader:
        above = rows.top(reader, workspace.project)
        return [run for each in above.items for run in rows.children(reader, workspace.project, each.id)]
