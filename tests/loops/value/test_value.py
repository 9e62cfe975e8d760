"""Predictions and what they turned out to be worth."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import treadle as td
from treadle.faces.cli import entry
from treadle.loops.feedback import TruthRule
from treadle.loops.value import ValueOf, ValueReport, ValueRule
from treadle.loops.value.errors import NoValueRule, UnfitValueRule, UnfitValueWindow

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MATRIX = [[0.0, -1.0], [-5.0, 4.0]]

MADE = [
    # id, entity, day, revision, score, amount of the loan, truth (None: not known yet)
    ("pred_1", "a", 0, 1, 0.9, 100.0, 1.0),
    ("pred_2", "b", 1, 1, 0.8, 200.0, 0.0),
    ("pred_3", "c", 2, 2, 0.2, 300.0, 1.0),
    ("pred_4", "d", 7, 2, 0.1, 400.0, 0.0),
    ("pred_5", "e", 8, 2, 0.7, 500.0, None),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    """Five predictions of two revisions and one that `endpoints try` asked for in two weeks; the truth of four is known on the tenth day."""
    with td.open_workspace(tmp_path_factory.mktemp("home")) as space:
        land_predictions(space)
        land_truth(space, [(entity, truth) for _, entity, *_, truth in MADE if truth is not None])
        rule = TruthRule(endpoint="loans", dataset="repaid", entity="who", value="late", known_at="known_at")
        space.feedback.connect(space.caller, rule)
        yield space


def land_predictions(space: td.Workspace) -> None:
    ids, entities, days, revisions, scores, loans, _ = zip(*MADE, strict=True)
    times = [MONDAY + DAY * day for day in days]
    frame = pl.DataFrame(
        {
            "prediction_id": ids,
            "call_id": ids,
            "recorded_at": times,
            "event_at": times,
            "entity": entities,
            "revision": revisions,
            "output": scores,
            "outputs": [[score] for score in scores],
            "in_loan": loans,
        }
    )
    trial = frame.head(1).with_columns(
        prediction_id=pl.lit("pred_0"), entity=pl.lit("a"), request_id=pl.lit("treadle-try-1")
    )
    frame = pl.concat([frame.with_columns(request_id=pl.lit(None, pl.String)), trial])
    one = {"call_rows": 1, "row_in_call": 0, "threads": 2, "latency_us": 900, "model_us": 300}
    texts = {"endpoint": "loans", "model": "m", "model_version": "4"}
    frame = frame.with_columns(**one, **{name: pl.lit(text) for name, text in texts.items()})
    space.archive.land("loans", frame.to_arrow(), "first")


def land_truth(space: td.Workspace, known: list[tuple[str, float]]) -> None:
    frame = pl.DataFrame({"who": [one for one, _ in known], "late": [late for _, late in known]})
    space.datasets.land(space.caller, "repaid", frame.with_columns(known_at=pl.lit(MONDAY + 10 * DAY)), key="first")


def declared(home: td.Workspace, **rule: object) -> None:
    home.value.declare(home.caller, ValueRule(endpoint="loans", **rule))


def shown(home: td.Workspace, **asked: object) -> ValueReport:
    return home.value.show(home.caller, ValueOf(endpoint="loans", **asked))


def test_a_matrix_gives_every_decision_its_value_once_the_truth_is_there(home):
    declared(home, matrix=MATRIX)

    overall = shown(home).overall

    assert (overall.predictions, overall.valued, overall.coverage) == (5, 4, 0.8)
    assert overall.total == 4 - 1 - 5 + 0
    assert overall.mean == -0.5
    assert overall.interval is not None
    assert overall.interval[0] < -0.5 < overall.interval[1]


def test_it_is_told_by_revision_and_by_week(home):
    declared(home, matrix=MATRIX)

    report = shown(home)

    assert [(one.name, one.total) for one in report.revisions] == [("1 (m 4)", 3.0), ("2 (m 4)", -5.0)]
    assert [(one.starts_at, one.predictions, one.total) for one in report.windows] == [
        (MONDAY, 3, -2.0),
        (MONDAY + 7 * DAY, 2, 0.0),
    ]


def test_the_threshold_of_the_decision_is_the_rules(home):
    declared(home, matrix=MATRIX, decision_threshold=0.15)

    assert shown(home).overall.total == 4 - 1 + 4 + 0


def test_before_anything_was_known_nothing_has_a_value(home):
    declared(home, matrix=MATRIX)

    overall = shown(home, known_by=MONDAY + 9 * DAY).overall

    assert (overall.valued, overall.mean, overall.interval) == (0, None, None)


def test_an_expression_takes_score_truth_and_inputs(home):
    declared(home, expression="case when class = 0 then loan * (0.1 - truth) else 0 end", unit="EUR")

    # Two loans were given: of 300, which was lost, and of 400, which earned a tenth.
    assert shown(home).overall.total == pytest.approx(-270 + 40)
    assert shown(home).overall.valued == 5


def test_an_expression_without_columns_holds_for_every_prediction(home):
    declared(home, expression="2.5")

    assert (shown(home).overall.total, shown(home).overall.valued) == (12.5, 5)


def test_an_outcome_stream_comes_late_and_is_corrected(home):
    day = MONDAY + 3 * DAY
    rows = [("a", 10.0, day), ("c", -70.0, day), ("a", 12.0, day + DAY)]
    frame = pl.DataFrame(rows, schema=["customer", "revenue", "booked_at"], orient="row")
    home.datasets.land(home.caller, "revenue", frame, key="first")
    stream = {"dataset": "revenue", "key": "customer", "amount": "revenue", "known_at": "booked_at"}

    declared(home, **stream)
    assert shown(home).overall.total == 12 - 70
    assert shown(home, known_by=day).overall.total == 10 - 70

    declared(home, **stream, combine="sum")
    assert shown(home).overall.total == 10 + 12 - 70


def test_an_outcome_stream_may_name_the_prediction(home):
    frame = pl.DataFrame({"entity": ["pred_4"], "amount": [7.0], "known_at": [MONDAY]})
    home.datasets.land(home.caller, "clicks", frame, key="first")
    declared(home, dataset="clicks", joined_by="prediction")

    assert (shown(home).overall.total, shown(home).overall.valued) == (7.0, 1)


def test_predictions_about_one_entity_are_one_observation():
    from treadle.loops.value.valuing import figure

    half = pl.DataFrame(
        {"prediction_id": ["1", "2", "3"], "entity": ["a", "b", "c"], "value": [1.0, 2.0, 6.0], "truth": [1.0] * 3}
    ).with_columns(known_at=pl.lit(MONDAY))
    twice = pl.concat([half, half.with_columns(prediction_id=pl.col("prediction_id") + "x")])

    assert figure(twice, "all").interval == pytest.approx(figure(half, "all").interval)


def test_the_interval_of_independent_predictions_is_the_known_one():
    from treadle.ground.stats import mean_interval
    from treadle.loops.value.valuing import figure

    values = [1.0, 2.0, 6.0, -3.0]
    rows = pl.DataFrame({"prediction_id": list("1234"), "entity": [None] * 4, "value": values, "truth": values})
    rows = rows.with_columns(pl.col("entity").cast(pl.String), known_at=pl.lit(MONDAY))

    assert figure(rows, "all").interval == pytest.approx(tuple(mean_interval(values)))


def test_what_a_thousand_cost_comes_from_the_log_and_the_energy_is_an_estimate(home):
    declared(home, matrix=MATRIX)

    cost = shown(home, watts=36.0, power_usage_effectiveness=2.0).costs[0]

    assert cost.model_s_per_thousand == pytest.approx(0.6)  # 300 us on two threads
    assert cost.latency_s_per_thousand == pytest.approx(0.9)
    assert cost.estimated_energy_wh_per_thousand == pytest.approx(0.6 * 36 * 2 / 3600)
    assert "estimated" in shown(home).energy_formula


def test_what_was_only_tried_counts_neither_in_value_nor_in_monitors(home):
    watched = home.observed.predictions(home.project, "loans", MONDAY, MONDAY + 30 * DAY)

    assert watched["prediction"].to_pylist() == [one[0] for one in MADE]
    assert home.observed.rows(home.project, "loans", MONDAY, MONDAY + 30 * DAY).height == len(MADE) + 1


def test_an_endpoint_that_was_never_asked_has_no_value_yet(home):
    home.value.declare(home.caller, ValueRule(endpoint="quiet", matrix=MATRIX))

    report = home.value.show(home.caller, ValueOf(endpoint="quiet"))

    assert (report.overall.predictions, report.windows, report.costs) == (0, [], [])


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "exactly one"),
        ({"matrix": MATRIX, "expression": "1"}, "exactly one"),
        ({"matrix": [[1.0, 2.0]]}, "square"),
        ({"matrix": [[1.0, float("nan")], [0.0, 0.0]]}, "no number"),
        ({"expression": "sum(loan)"}, "more than one row"),
        ({"expression": "lona * 2"}, "lona"),
    ],
)
def test_a_rule_that_gives_no_value_is_refused(home, rule, says):
    with pytest.raises(UnfitValueRule) as refusal:
        declared(home, **rule)

    assert says in f"{refusal.value} {refusal.value.why} {refusal.value.fix}"


def test_a_truth_that_is_no_class_of_the_matrix_is_said(home):
    odd = TruthRule(endpoint="loans", dataset="odd", entity="who", value="late", known_at="known_at")
    frame = pl.DataFrame({"who": ["a"], "late": [7.0], "known_at": [MONDAY]})
    home.datasets.land(home.caller, "odd", frame, key="first")
    right = home.truth_rules.find(home.project, "loans")
    assert right is not None
    declared(home, matrix=MATRIX)
    home.feedback.connect(home.caller, odd)
    try:
        with pytest.raises(UnfitValueRule, match="no class of the matrix"):
            shown(home)
    finally:
        home.feedback.connect(home.caller, right)


def test_what_cannot_be_answered_is_refused(home):
    with pytest.raises(NoValueRule, match="worth"):
        home.value.show(home.caller, ValueOf(endpoint="undeclared"))
    declared(home, matrix=MATRIX)
    with pytest.raises(UnfitValueWindow, match="time zone"):
        shown(home, since=datetime(2026, 1, 1))
    with pytest.raises(UnfitValueWindow, match="ends before"):
        shown(home, since=MONDAY, until=MONDAY)


def test_the_commands_declare_and_show(home, capsys):
    folder = str(home.home)
    code = entry.main(["value", "declare", "loans", "--matrix", json.dumps(MATRIX), "--unit", "EUR", "--home", folder])
    assert code == 0
    capsys.readouterr()

    assert entry.main(["value", "show", "loans", "--home", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["total"] == -2.0
    assert entry.main(["value", "show", "loans", "--home", folder]) == 0
    text = capsys.readouterr().out
    assert "total (EUR)" in text
    assert "2026-03-02" in text
    assert "█│" in text
    assert entry.main(["value", "declare", "loans", "--matrix", "[[", "--home", folder]) == 2
