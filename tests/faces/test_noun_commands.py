"""The commands by noun, on a home in which a dirty file has landed under its contract."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from treadle.faces.cli import entry
from treadle.faces.cli.commands.projects import BAD_ROWS, DAYS, project_files
from treadle.faces.cli.contents import ENTRIES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nouns")
    texts = {str(path): text for path, text in project_files("cafe").items()}
    (folder / "inbox").mkdir()
    (folder / "inbox" / "sales.csv").write_text(texts["data/sales.csv"])
    (folder / "sales.odcs.yaml").write_text(texts["contracts/sales.odcs.yaml"])
    for words in (
        ["contracts", "publish", "sales", str(folder / "sales.odcs.yaml")],
        ["datasets", "land", "sales", "*.csv"],
    ):
        assert entry.main([*words, "--home", str(folder)]) == 0
    return folder


@pytest.fixture
def treadle(home, capsys):
    """Calls a command; answers its exit code and its answer as JSON."""

    def call(*words: str):
        code = entry.main([*words, "--home", str(home), "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out or captured.err)

    return call


@pytest.fixture
def text_of(home, capsys):
    """Calls a command; answers what a person sees."""

    def call(*words: str) -> str:
        assert entry.main([*words, "--home", str(home)]) == 0
        return capsys.readouterr().out

    return call


def test_a_contract_is_published_for_the_one_table_that_it_describes(treadle, home, tmp_path):
    text = (home / "sales.odcs.yaml").read_text()
    (tmp_path / "two.odcs.yaml").write_text(text + "  - {name: other, properties: [{name: v, logicalType: integer}]}\n")

    _, contract = treadle("contracts", "publish", str(home / "sales.odcs.yaml"))
    code, refusal = treadle("contracts", "publish", str(tmp_path / "two.odcs.yaml"))

    assert contract["dataset"] == "sales"
    assert code == 2
    assert "treadle contracts publish sales" in refusal["fix"]


def test_a_landing_keeps_what_is_clean_and_says_what_is_not(treadle):
    _, snapshot = treadle("datasets", "show", "sales")
    _, quarantine = treadle("quarantine", "list", "sales")

    assert snapshot["rows"] == DAYS - len(BAD_ROWS)
    assert quarantine["held"] == len(BAD_ROWS)


def test_a_file_lands_once(treadle):
    assert treadle("datasets", "land", "sales", "*.csv") == (0, [])


def test_a_dataset_is_shown_with_its_columns_and_history(text_of):
    assert "temperature_c  double" in text_of("datasets", "show", "sales")
    assert len(text_of("datasets", "history", "sales").splitlines()) == 2
    assert "sales.quarantine" in text_of("datasets", "list")


def test_rows_are_found_by_their_ids(treadle):
    _, quarantine = treadle("quarantine", "list", "sales")
    landing = quarantine["rows"][0]["id"].partition(":")[0]

    _, found = treadle("datasets", "rows", "sales", f"{landing}:0", f"{landing}:1")

    assert [row["day"] for row in found["rows"]] == ["2025-01-01", "2025-01-02"]


def test_a_tag_is_a_name_to_go_back_to(treadle):
    treadle("datasets", "tag", "sales", "first", "--reason", "the start")

    assert treadle("datasets", "show", "sales", "--at", "first")[1]["version"] == 1


def test_each_cause_is_one_incident_that_can_be_given_to_somebody(treadle, text_of):
    _, incidents = treadle("incidents", "list")
    assert sorted(one["rows"] for one in incidents) == [1, 2]

    _, assigned = treadle("incidents", "assign", incidents[0]["id"], "ada")

    assert assigned["assignee"] == "ada"
    assert "ada" in text_of("incidents", "show", incidents[0]["id"])


def test_a_snapshot_without_bad_rows_passes_its_contract(treadle):
    code, report = treadle("contracts", "check", "sales")

    assert (code, report["passed"]) == (0, True)


def test_a_contract_is_shown_to_the_letter(home, text_of):
    assert text_of("contracts", "show", "sales").strip() == (home / "sales.odcs.yaml").read_text().strip()


def test_a_row_that_still_breaks_its_rule_stays_out_and_a_mended_one_comes_back(treadle):
    _, quarantine = treadle("quarantine", "list", "sales", "--rule", "temperature_c.range")
    row = quarantine["rows"][0]["id"]

    code, still = treadle("quarantine", "release", "sales", row, "--reason", "it was hot")
    assert (code, list(still["still_held"])) == (1, [row])
    code, back = treadle("quarantine", "release", "sales", row, "--reason", "Fahrenheit", "-m", "temperature_c=100")
    assert code == 1
    code, back = treadle("quarantine", "release", "sales", row, "--reason", "a slip", "-m", "temperature_c=21.2")

    assert (code, back["rows"]) == (0, [row])
    assert treadle("datasets", "show", "sales")[1]["rows"] == DAYS - len(BAD_ROWS) + 1


def test_a_row_that_somebody_found_right_comes_back_under_a_waiver(treadle):
    _, quarantine = treadle("quarantine", "list", "sales", "--rule", "cups.range")
    row = quarantine["rows"][-1]["id"]

    code, refused = treadle("quarantine", "release", "sales", row, "--reason", "a feast", "--waive", "cups")
    assert (code, refused["code"]) == (2, "quarantine.waiver_refused")
    code, back = treadle("quarantine", "release", "sales", row, "--reason", "a feast", "--waive", "cups.range")

    assert (code, back["rows"], back["still_held"]) == (0, [row], {})


def test_giving_rows_up_is_asked_for(treadle):
    _, quarantine = treadle("quarantine", "list", "sales", "--rule", "cups.range")
    row = quarantine["rows"][0]["id"]

    assert treadle("quarantine", "discard", "sales", row, "--reason", "lost")[0] == 5
    code, left = treadle("quarantine", "discard", "sales", row, "--reason", "lost", "--yes")

    assert (code, left["discarded"]) == (0, 1)


def test_a_sound_home_passes_its_examination_and_clean_up_takes_nothing_from_it(treadle):
    code, examination = treadle("doctor", "--deep")
    _, cleaned = treadle("gc", "--dry-run")

    assert (code, [one["verdict"] for one in examination["checks"] if one["verdict"] == "failed"]) == (0, [])
    assert (cleaned["is_dry_run"], cleaned["condemned"]) == (True, 0)


@pytest.mark.parametrize(
    "noun",
    sorted({entry.words.split()[0] for entry in ENTRIES if entry.words.endswith(" list")} - {"metrics", "quarantine"}),
)
def test_every_list_answers_a_person_and_a_program(noun, treadle, text_of):
    code, answer = treadle(noun, "list")

    assert code == 0
    assert isinstance(answer, list) or "items" in answer
    assert text_of(noun, "list").strip()


@pytest.mark.parametrize(
    "words",
    [
        ("datasets", "show", "sale"),
        ("contracts", "show", "sale"),
        ("models", "show", "sale"),
        ("endpoints", "show", "sale"),
        ("predictions", "show", "pred_x"),
        ("replay", "pred_x"),
        ("monitors", "show", "sale"),
        ("alerts", "show", "alert_x"),
        ("incidents", "show", "inc_x"),
        ("features", "show", "sale"),
        ("labels", "agreement", "sale"),
        ("labels", "annotate", "task_x", "is_real=no"),
    ],
)
def test_what_is_not_there_is_not_found(words, treadle):
    code, problem = treadle(*words)

    assert (code, problem["status"]) == (3, 404)


@pytest.mark.parametrize(
    "words", [("labels", "annotate", "task_x", "no"), ("quarantine", "release", "sales", "r:1", "--reason", "x", "-m", "y"),
              ("endpoints", "route", "e", "3=lots"), ("models", "promote", "m", "1", "--alias", "")]
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_is_done(words, treadle):
    assert treadle(*words)[1]["code"] == "cli.usage"


def test_a_labelling_project_is_made_filled_answered_and_exported_from_the_terminal(treadle):
    treadle("labels", "create", "judged", "again=1,2", "cups=number", "why=text")
    _, added = treadle("labels", "add", "judged", "sales.quarantine", "--columns", "cups", "--limit", "2")
    _, leased = treadle("labels", "next", "judged", "--count", "2")
    for one in leased:
        code, annotation = treadle("labels", "annotate", one["task"]["id"], "again=1", "cups=12", "why=7")
        assert (code, annotation["value"]) == (0, {"again": "1", "cups": 12.0, "why": "7"})
    refused = treadle("labels", "annotate", leased[0]["task"]["id"], "again=1", "cups=many", "why=x")
    _, exported = treadle("labels", "export", "judged", "labels.judged")

    assert added == {"added": 2, "known": 0}
    assert set(leased[0]["task"]["data"]) == {"cups"}
    assert (refused[0], refused[1]["status"]) == (2, 400)
    assert exported["rows"] == 2


def test_a_dataset_is_asked_in_sql(home, treadle, text_of, capsys, tmp_path):
    sql = "select day, cups from sales@v1 order by day"
    _, answer = treadle("datasets", "query", sql, "--limit", "2")
    shown = text_of("datasets", "query", sql, "--limit", "2")
    assert entry.main(["datasets", "query", sql, "--format", "csv", "--home", str(home)]) == 0
    lines = capsys.readouterr().out.splitlines()
    _, written = treadle("datasets", "query", sql, "-o", str(tmp_path / "sales.parquet"))

    assert (len(answer["rows"]), answer["is_cut"]) == (2, True)
    assert answer["snapshots"] == {"sales@v1": "sales@1"}
    assert shown.splitlines()[-1].startswith("2 rows in ")
    assert lines[0] == "day,cups"
    assert len(lines) == 1 + DAYS - len(BAD_ROWS)
    assert written["format"] == "parquet"
    assert pl.read_parquet(tmp_path / "sales.parquet").columns == ["day", "cups"]


def test_a_question_that_cannot_be_answered_says_why(treadle):
    code, problem = treadle("datasets", "query", "select * from salez")

    assert (code, problem["code"]) == (3, "dataset.not_found")
    assert "sales" in problem["why"]
    assert treadle("datasets", "query", "copy sales to 'x'")[1]["code"] == "query.refused"


def test_a_snapshot_is_written_as_a_file(home, treadle, tmp_path, capsys):
    target = tmp_path / "sales.csv"
    _, written = treadle("datasets", "export", "sales", "--at", "1", "-o", str(target))
    capsys.readouterr()
    code = entry.main(["datasets", "export", "sales@1", "--format", "jsonl", "--home", str(home)])
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == DAYS - len(BAD_ROWS)
    assert written["bytes"] == target.stat().st_size
    assert pl.read_csv(target).height == DAYS - len(BAD_ROWS)
    assert code == 0
    assert list(tmp_path.iterdir()) == [target]


def test_two_snapshots_are_compared(home, treadle, text_of):
    (home / "inbox" / "more.csv").write_text(
        "day,temperature_c,is_holiday,cups\n2025-01-01,1.5,false,230\n2030-01-01,1.5,false,231\n"
    )
    treadle("datasets", "land", "sales", "more.csv")
    newest = treadle("datasets", "show", "sales")[1]["version"]

    _, found = treadle("datasets", "diff", "sales", str(newest - 1), "--key", "day")
    shown = text_of("datasets", "diff", "sales", str(newest - 1), "--key", "day")

    assert (found["rows"]["added"], found["rows"]["removed"], found["rows"]["files_read"]) == (1, 0, 0)
    assert (found["by_key"]["inserted"], found["by_key"]["updated"]) == (1, 0)  # the other day is there, and refused
    assert "day=2030-01-01" in shown
    assert {row["name"] for row in found["columns"]} == {"day", "temperature_c", "is_holiday", "cups"}
    assert "They hold the same rows." in text_of("datasets", "diff", "sales", str(newest))


def test_a_branch_is_made_landed_on_compared_merged_and_deleted(home, treadle, text_of):
    (home / "inbox" / "branch.csv").write_text("day,temperature_c,is_holiday,cups\n2031-01-01,1.5,false,231\n")
    before = treadle("datasets", "show", "sales")[1]["rows"]
    _, made = treadle("datasets", "branch", "sales", "fix")
    treadle("datasets", "land", "sales", "branch.csv", "--branch", "fix")

    assert made["dataset"] == "sales@fix"
    assert treadle("datasets", "show", "sales")[1]["rows"] == before
    assert treadle("datasets", "show", "sales@fix")[1]["rows"] == before + 1
    assert "1 rows" not in text_of("datasets", "branches", "sales")
    assert treadle("datasets", "history", "sales", "--branch", "fix")[1][0]["version"] == 1
    assert treadle("datasets", "diff", "sales", "main", "fix")[1]["rows"]["added"] == 1
    assert "fast-forward" in text_of("datasets", "merge", "sales", "fix")
    assert treadle("datasets", "show", "sales")[1]["rows"] == before + 1
    assert treadle("datasets", "delete-branch", "sales", "fix", "--yes")[0] == 0
    assert treadle("datasets", "branches", "sales") == (0, [])
    assert treadle("datasets", "merge", "sales", "fix")[1]["code"] == "dataset.branch_not_found"


def test_small_files_are_laid_together(treadle, text_of):
    rows = treadle("datasets", "show", "sales")[1]["rows"]
    _, done = treadle("datasets", "compact", "sales")

    assert done["files_after"] == 1
    assert treadle("datasets", "show", "sales")[1]["rows"] == rows
    assert "no small files" in text_of("datasets", "compact", "sales")


def test_a_clean_up_says_what_becomes_of_the_files_of_datasets(treadle, text_of):
    _, done = treadle("gc", "--dry-run")

    [sales] = [table for table in done["tables"] if table["dataset"] == "sales"]
    assert sum(sales["kept"].values()) <= sales["snapshots"]
    assert (sales["condemned"], sales["deleted"], sales["expired"]) == (0, 0, [])
    assert "Datasets" not in text_of("gc", "--dry-run")


def test_a_folder_becomes_a_dataset_and_a_folder_again(treadle, text_of, tmp_path):
    folder = tmp_path / "photos"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats" / "tom.txt").write_text("miaow")
    (folder / "empty").write_text("")
    _, landed = treadle("datasets", "land-files", "photos", str(folder))
    _, again = treadle("datasets", "land-files", "photos", str(folder))

    assert (landed["added"], again["added"], again["version"]) == (2, 0, 1)
    assert "cats/tom.txt  5 B   text/plain" in text_of("datasets", "files", "photos")
    assert treadle("datasets", "export-files", "photos", str(tmp_path / "out"))[1]["files"] == 2
    assert (tmp_path / "out" / "cats" / "tom.txt").read_text() == "miaow"
    assert (tmp_path / "out" / "empty").read_text() == ""
    assert treadle("datasets", "export-files", "photos", str(tmp_path / "out"))[1]["code"] == "dataset.files_refused"
    one = treadle("datasets", "export-files", "photos", str(tmp_path / "one"), "--path", "empty")
    assert one[1]["files"] == 1
