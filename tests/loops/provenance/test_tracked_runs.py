"""`why` and `impact` walk through the runs of tracking clients as through any other."""

from __future__ import annotations

from pathlib import Path

from treadle.assembly import open_workspace
from treadle.ground.ids import run_id_of
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput
from treadle.systems.train.tracking.requests import CreateRun, LogInputs, LogOutputs, LogParam, UpdateRun

ROWS = DatasetInput(name="rows", digest="d1", source_type="local", source="{}")


def test_why_walks_from_an_evaluation_to_the_training_and_its_data(tmp_path: Path) -> None:
    with open_workspace(tmp_path) as workspace:
        ada, tracking, inputs = workspace.caller, workspace.tracking.runs, workspace.tracking.inputs
        trained = tracking.create(ada, CreateRun(name="trained")).run
        tracking.log_param(ada, LogParam(run=trained, key="depth", value="3"))
        inputs.log(ada, LogInputs(run=trained, datasets=[ROWS]))
        inputs.log_outputs(ada, LogOutputs(run=trained, models=[ModelOutput("m-1", 0)]))
        tracking.update(ada, UpdateRun(run=trained, status="FINISHED"))
        judged = tracking.create(ada, CreateRun(name="judged")).run
        inputs.log(ada, LogInputs(run=judged, models=["m-1"]))

        why = workspace.bound()["provenance.why"].call(ada, _asked(workspace, "provenance.why", run_id_of(judged)))
        impact = workspace.bound()["provenance.impact"].call(ada, _asked(workspace, "provenance.impact", trained))

    titles = [node.title for node in why.walk()]
    assert titles[0] == "tracking judged"
    assert "tracking trained" in titles
    assert any(node.relation == "data: rows@d1" for node in why.walk())
    assert "tracking judged" in [node.title for node in impact.walk()]


def _asked(workspace, verb, id):  # type: ignore[no-untyped-def]
    return workspace.bound()[verb].verb.request_type()(id=id)
