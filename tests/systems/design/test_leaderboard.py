"""Who leads, what the gate says, and what the card shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from tests.systems.design.specs import make_spec
from treadle.systems.design import Entry, PartReport, gate, markdown, model_card, rank
from treadle.systems.design.errors import InvalidModelSpec


def make_entry(
    name: str, auc: float | None, *, kind: str = "candidate", test_auc: float = 0.7, loss: float = 0.4
) -> Entry:
    return Entry(name=name, kind=kind, metrics={"valid": {"auc": auc}, "test": {"auc": test_auc, "log_loss": loss}})


ENTRIES = [
    make_entry("a", 0.71),
    make_entry("b", 0.74),
    make_entry("broken", math.nan),
    make_entry("carrier", 0.62, kind="baseline", loss=0.5),
    make_entry("history", 0.74, kind="baseline", loss=0.45),
]


def test_best_comes_first_baselines_lead_among_equals_and_the_unmeasured_come_last():
    board = rank(make_spec(), ENTRIES)

    assert [entry.name for entry in board.entries] == ["history", "b", "a", "carrier", "broken"]
    assert board.best is not None
    assert board.best.name == "b"


def test_order_of_entries_does_not_matter():
    assert rank(make_spec(), ENTRIES[::-1]).entries == rank(make_spec(), ENTRIES).entries


def test_lower_is_better_where_the_metric_says_so():
    spec = make_spec(metric={"name": "log_loss", "split": "test"}, metrics=["auc"])

    assert rank(spec, [make_entry("a", 0.1, loss=0.4), make_entry("b", 0.1, loss=0.3)]).best.name == "b"


def test_board_without_a_measured_candidate_has_no_best():
    assert rank(make_spec(), ENTRIES[2:]).best is None


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(InvalidModelSpec):
        rank(make_spec(), [ENTRIES[0], ENTRIES[0]])


@pytest.mark.parametrize(
    ("entry", "passed"),
    [
        (make_entry("x", 0.7, test_auc=0.6, loss=0.44), [True, True]),
        (make_entry("x", 0.7, test_auc=0.59, loss=0.44), [False, True]),
        (make_entry("x", 0.7, test_auc=0.6, loss=0.441), [True, False]),
        (make_entry("x", 0.7, test_auc=math.nan, loss=math.nan), [False, False]),
    ],
)
def test_gate_holds_each_condition_against_bound_and_baselines(entry, passed):
    spec = make_spec()

    checks = gate(spec, rank(spec, [*ENTRIES, entry]), entry)

    assert [check.passed for check in checks] == passed
    assert checks[1].bound == pytest.approx(0.44)


def test_baseline_that_was_not_measured_fails_the_comparison():
    spec = make_spec()
    board = rank(spec, [ENTRIES[0], make_entry("carrier", 0.5, kind="baseline", loss=math.nan)])

    assert [check.passed for check in gate(spec, board, ENTRIES[0])] == [True, False]


def test_card_shows_what_was_chosen_on_what_data_and_cannot_be_broken_by_names():
    spec = make_spec(description="Late | <b>arrivals</b>\n# of flights")
    board = rank(spec, ENTRIES, {"flights": "snap_1"})
    part = PartReport(
        part="train", n_in=9, n_used=7, n_too_late=1, n_unlabelled=1, known_by=datetime(2013, 3, 1, tzinfo=UTC)
    )

    card = model_card(spec, board, board.best, checks=gate(spec, board, board.best), parts=[part], made_at=datetime(2013, 4, 1, tzinfo=UTC), facts={"Code": "sha256:c"})  # fmt: skip
    text = markdown(card)

    assert text == markdown(card)
    assert "<b>" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# late-arrival"]
    for shown in ("snap_1", "| train | 7 | 1 | 1 |", "Flights from New York only.", "not measured", "sha256:c", "- passed: auc on test"):  # fmt: skip
        assert shown in text
