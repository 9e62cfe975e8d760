"""`treadle run` and its neighbours, on the project that `treadle init` writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.faces.cli import entry

TREADLE = [sys.executable, "-m", "treadle.faces.cli.entry"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """A new project, as the working folder, with its own home; its modules are forgotten afterwards."""
    assert entry.main(["init", str(tmp_path), "--name", "cafe"]) == 0
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TREADLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("pipeline", "other"):
        sys.modules.pop(name, None)


@pytest.fixture
def treadle(capsys):
    """Calls the command line and answers (exit code, the answer as JSON, stderr)."""

    def call(*words: str):
        code = entry.main([*words, "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return call


def test_a_new_project_runs_as_it_is_and_its_model_beats_the_baseline(project, treadle):
    code, answer, _ = treadle("run", "pipeline.py")

    assert code == 0
    assert answer["status"] == "done"
    assert answer["value"]["model"] < answer["value"]["baseline"]
    assert [step["path"] for step in answer["steps"]] == [
        f"forecast/{n}" for n in ("read", "features", "fit", "evaluate")
    ]


def test_a_second_run_runs_nothing(project, treadle):
    _, first, _ = treadle("run", "pipeline.py")
    _, second, _ = treadle("run", "pipeline.py:forecast")

    assert {step["status"] for step in second["steps"]} == {"cached"}
    assert second["value"] == first["value"]


def test_a_parameter_runs_only_what_depends_on_it(project, treadle):
    treadle("run", "pipeline.py")

    _, answer, _ = treadle("run", "pipeline.py", "-p", "holdout=60")

    assert [step["status"] for step in answer["steps"]] == ["cached", "cached", "done", "done"]


def test_fresh_uses_nothing_that_is_known(project, treadle):
    treadle("run", "pipeline.py")

    assert treadle("run", "pipeline.py", "--fresh")[1]["counts"]["done"] == 4


def test_the_plan_says_beforehand_what_a_run_would_do_and_writes_nothing(project, treadle):
    before = treadle("plan", "pipeline.py")[1]
    treadle("run", "pipeline.py")
    after = treadle("plan", "pipeline.py")[1]

    assert before["steps"][0]["verdict"] == "run"
    assert {step["verdict"] for step in after["steps"]} == {"reuse"}
    assert len(treadle("runs", "list")[1]["items"]) == 1


def test_a_run_is_listed_and_shown_with_its_steps(project, treadle):
    _, ran, _ = treadle("run", "pipeline.py", "-p", "holdout=20")

    _, page, _ = treadle("runs", "list")
    _, sheet, _ = treadle("runs", "show", ran["run"])

    assert [(one["id"], one["params"]) for one in page["items"]] == [(ran["run"], {"holdout": 20})]
    assert [one["id"] for one in sheet["below"]] == [step["run"] for step in ran["steps"]]


def test_a_person_sees_the_steps_of_a_run_as_a_tree(project, treadle, capsys):
    _, ran, _ = treadle("run", "pipeline.py")

    assert entry.main(["runs", "show", ran["run"]]) == 0

    out = capsys.readouterr().out
    assert "├── read  done" in out
    assert "└── evaluate  done" in out


def test_what_a_run_did_is_in_the_events_and_their_chain_is_kept(project, treadle):
    _, ran, _ = treadle("run", "pipeline.py")

    _, events, _ = treadle("events", "list", "--subject", ran["run"])
    _, event, _ = treadle("events", "show", events[0]["id"])
    code, verified, _ = treadle("audit", "verify")

    assert [one["kind"] for one in events] == ["run.finished", "run.started"]
    assert event == events[0]
    assert (code, verified["broken"]) == (0, None)


def test_pages_of_events_follow_each_other_without_a_gap(project, treadle):
    treadle("run", "pipeline.py")
    everything = [one["position"] for one in treadle("events", "list")[1]]

    first = [one["position"] for one in treadle("events", "list", "--limit", "2")[1]]
    second = [one["position"] for one in treadle("events", "list", "--limit", "2", "--before", str(first[-1]))[1]]

    assert first + second == everything[:4]
    steps = treadle("events", "list", "--kind", "step.finished", "--limit", "3")[1]
    assert [one["kind"] for one in steps] == ["step.finished"] * 3


def test_an_exported_log_has_a_header_and_every_event(project, treadle, tmp_path):
    treadle("run", "pipeline.py")

    assert treadle("audit", "export", "log.jsonl")[0] == 0

    header, *events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert header["format"] == "treadle.audit.v1"
    assert header["count"] == len(events)
    assert header["head"] == events[-1]["hash"]


def test_a_failed_run_says_where_and_can_be_resumed_once_mended(project, treadle):
    good = (project / "pipeline.py").read_text()
    (project / "pipeline.py").write_text(good.replace("inputs = rows", "1 / 0\n    inputs = rows"))
    code, broken, err = treadle("run", "pipeline.py")
    assert (code, broken["status"]) == (1, "failed")
    assert "ZeroDivisionError" in err

    (project / "pipeline.py").write_text(good)
    del sys.modules["pipeline"]
    code, mended, _ = treadle("resume", broken["run"])

    assert (code, mended["run"], mended["status"]) == (0, broken["run"], "done")
    assert mended["value"]["model"] < mended["value"]["baseline"]


def test_cancelling_what_has_ended_changes_nothing(project, treadle):
    _, ran, _ = treadle("run", "pipeline.py")

    assert treadle("cancel", ran["run"])[1] == {"run": ran["run"], "is_cancelled": False}


def test_what_user_code_prints_does_not_mix_with_the_answer(project, treadle):
    text = (project / "pipeline.py").read_text()
    (project / "pipeline.py").write_text(text.replace("rows = td.load", "print('hello')\n    rows = td.load"))

    code, answer, err = treadle("run", "pipeline.py")

    assert (code, answer["status"]) == (0, "done")
    assert "hello" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "pipelin.py"], 3, "'pipeline.py'"),
        (["run", "pipeline.py:forcast"], 3, "'forecast'"),
        (["run", "no_such_module:x"], 3, "no_such_module"),
        (["run", "pipeline.py", "-p", "holdout"], 2, "name=value"),
        (["run", "pipeline.py", "-p", "holdouts=3"], 2, "'holdout'"),
        (["run", "pipeline.py", "-p", "holdout=many"], 2, "Expected `int`"),
        (["resume", "run_00000000000000000000000000"], 3, "run_0"),
        (["cancel", "run_00000000000000000000000000"], 3, "run_0"),
        (["runs", "show", "run_00000000000000000000000000"], 3, "run_0"),
        (["events", "show", "evt_x"], 3, "evt_x"),
    ],
)
def test_what_is_not_there_or_not_possible_is_named(project, treadle, words, code, said):
    found, answer, err = treadle(*words)

    assert (found, answer) == (code, None)
    assert said in json.dumps(json.loads(err))


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import nothing_of_this_name\n", 2, "nothing_of_this_name"),
        ("x = 1\n", 3, "no pipeline"),
        ("import treadle as td\n@td.pipeline\ndef a(): ...\n@td.pipeline\ndef b(): ...\n", 2, "a, b"),
        ("def broken(:\n", 2, "SyntaxError"),
        ("import treadle as td\n@td.pipeline\ndef a(n): ...\n", 2, "needs n"),
    ],
)
def test_a_file_that_cannot_be_run_says_why(project, treadle, text, code, said):
    (project / "other.py").write_text(text)

    found, _, err = treadle("run", "other.py")

    assert found == code
    assert said in json.dumps(json.loads(err))


def test_a_text_parameter_stays_text_and_others_are_read_as_json(project, treadle):
    (project / "other.py").write_text(
        "import treadle as td\n@td.pipeline\ndef show(until: str, n: int = 1, tags: list[str] = [], x=None):\n    return [until, n, tags, x]\n"
    )

    _, answer, _ = treadle("run", "other.py", "-p", "until=2013", "-p", "n=2", "-p", 'tags=["a"]', "-p", "x=yes")

    assert answer["value"] == ["2013", 2, ["a"], "yes"]


def test_a_file_whose_name_is_taken_is_refused_and_not_confused(project, treadle):
    (project / "json.py").write_text("import treadle as td\n@td.pipeline\ndef a(): ...\n")

    code, _, err = treadle("run", "json.py")

    assert code == 2
    assert "its name is taken" in err


def test_the_new_project_passes_its_own_test(project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_command_line_runs_in_a_process_of_its_own(project):
    environment = {**os.environ, "TREADLE_HOME": str(project / "elsewhere")}

    done = subprocess.run(
        [*TREADLE, "run", "pipeline.py"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "forecast/evaluate" in done.stdout
    assert (project / "elsewhere").is_dir()
    assert not (project / ".treadle").exists()


def test_publishing_makes_live_what_the_project_declares_and_takes_back_what_it_no_longer_does(project, treadle):
    text = Path("pipeline.py").read_text()
    Path("pipeline.py").write_text(text.replace("@td.pipeline", '@td.pipeline(schedule="0 3 * * *")'))
    _, first, _ = treadle("publish")
    _, same, _ = treadle("publish", "--if-changed")
    sys.modules.pop("pipeline")
    Path("pipeline.py").write_text(text)
    _, second, _ = treadle("publish", "--if-changed")

    assert first["live"] == [{"pipeline": "forecast", "when": "0 3 * * *", "of": "UTC"}]
    assert same["publication"] == first["publication"] != second["publication"]
    assert second["live"] == []


def test_publishing_finds_every_pipeline_of_the_project_and_runs_none(project, treadle):
    (project / "flows").mkdir()
    (project / "flows" / "other.py").write_text(
        "import treadle as td\n@td.pipeline\ndef nightly():\n    return 1\n\nif __name__ == '__main__':\n    nightly()\n"
    )

    _, answer, _ = treadle("publish")

    assert answer["pipelines"] == ["forecast", "nightly"]
    assert treadle("runs", "list")[1]["items"] == []


def test_a_script_that_would_run_while_it_is_published_is_refused(project, treadle):
    (project / "other.py").write_text("import treadle as td\n@td.pipeline\ndef now():\n    return 1\n\nnow()\n")

    code, _, errors = treadle("publish", "other.py")

    assert code == 2
    assert "__main__" in errors


def test_what_steps_printed_is_there_to_be_read_for_a_run_and_for_a_step(project, treadle, capsys):
    text = Path("pipeline.py").read_text()
    Path("pipeline.py").write_text(
        text.replace("    inputs =", "    print('fitting')\n    print('rows', 1)\n    inputs =")
    )
    _, ran, _ = treadle("run", "pipeline.py")
    fit = next(step["run"] for step in ran["steps"] if step["path"] == "forecast/fit")

    assert entry.main(["runs", "logs", ran["run"], "--follow"]) == 0
    whole = capsys.readouterr().out
    assert entry.main(["runs", "logs", fit]) == 0
    of_step = capsys.readouterr().out
    assert entry.main(["runs", "logs", ran["run"], "--json"]) == 0
    chunks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert "fit | fitting\nfit | rows 1\n" in whole
    assert of_step == "fit | fitting\nfit | rows 1\n"
    assert {(chunk["path"], chunk["stream"]) for chunk in chunks} >= {("forecast/fit", "stdout")}


def test_each_step_is_said_on_a_line_of_its_own_where_that_is_asked_for(project, capsys):
    assert entry.main(["run", "pipeline.py", "-v"]) == 0
    first = capsys.readouterr().err
    assert entry.main(["run", "pipeline.py", "-v"]) == 0
    second = capsys.readouterr().err

    for name in ("read", "features", "fit", "evaluate"):
        assert f"done      forecast/{name}  " in first
        assert f"cached    forecast/{name}  known from run_" in second


def test_a_failed_step_is_shown_with_its_reason_and_where_it_failed(project, treadle, capsys):
    text = Path("pipeline.py").read_text()
    Path("pipeline.py").write_text(text.replace("    inputs =", "    raise ValueError('no rows')\n    inputs ="))
    code, ran, _ = treadle("run", "pipeline.py")
    fit = next(step["run"] for step in ran["steps"] if step["path"] == "forecast/fit")

    assert entry.main(["runs", "show", fit]) == 0

    shown = capsys.readouterr().out
    assert code == 1
    assert "The step 'forecast/fit' raised ValueError: no rows" in shown
    assert "pipeline.py" in shown


def test_a_run_that_waits_for_an_approval_is_answered_from_the_terminal_and_goes_on(project, treadle):
    (project / "other.py").write_text(
        "import treadle as td\n\n@td.pipeline\ndef asking():\n"
        "    return td.wait_for_approval('the new price', request={'price': 4})\n"
    )
    _, ran, _ = treadle("run", "other.py")
    _, waits, _ = treadle("runs", "waiting")
    _, answered, _ = treadle("runs", "answer", waits[0]["id"], "yes")
    code, _, _ = treadle("runs", "answer", waits[0]["id"], "no")
    _, resumed, _ = treadle("resume", ran["run"])

    assert ran["status"] == "waiting"
    assert (waits[0]["subject"], waits[0]["request"]) == ("the new price", {"price": 4})
    assert (answered["run"], answered["answer"]) == (ran["run"], True)
    assert code == 3
    assert (resumed["status"], resumed["value"]) == ("done", True)


def test_an_error_in_the_body_is_shown_from_the_user_s_line_on_and_says_once_how_to_go_on(project, capsys):
    (project / "other.py").write_text("import treadle as td\n\n@td.pipeline\ndef dividing():\n    return 1 / 0\n")

    assert entry.main(["run", "other.py"]) == 1

    errors = capsys.readouterr().err
    assert errors.count("  File ") == 1
    assert "other.py" in errors
    assert errors.count("treadle resume run_") == 1
