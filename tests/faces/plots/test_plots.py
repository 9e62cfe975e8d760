"""Plots are text made from numbers: places are right, gaps stay gaps, and no name becomes markup."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.faces import plots
from treadle.faces.plots.heat import shade
from treadle.faces.plots.scales import Scale, extent, month_starts, tick_text, ticks
from treadle.faces.plots.svg import number, tag

START = datetime(2013, 4, 1, tzinfo=UTC)


def weekly(values: list[float | None]) -> list[plots.Point]:
    return [plots.Point(at=START + timedelta(weeks=place), value=value) for place, value in enumerate(values)]


def chart(points: list[plots.Point], **options: object) -> ElementTree.Element:
    line = plots.Line(name="auc", points=points, colour="c1")
    return ElementTree.fromstring(plots.line_chart([line], width=400, label="AUC", **options))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_inside_and_evenly_spaced(low, span):
    found = ticks(low, low + span)

    assert found
    assert all(low - 1e-6 * span <= value <= low + span + 1e-6 * span for value in found)
    steps = {round((b - a) / span, 6) for a, b in itertools.pairwise(found)}
    assert len(steps) <= 1


def test_a_tick_has_the_decimals_that_tell_it_from_its_neighbours():
    assert [tick_text(value, [0.65, 0.7, 0.75]) for value in (0.65, 0.7)] == ["0.65", "0.70"]
    assert tick_text(2000, [1000, 2000]) == "2,000"


def test_a_scale_maps_ends_on_ends_and_keeps_what_is_clamped_inside():
    scale = Scale(0, 10, 100, 200)

    assert [scale(0), scale(5), scale(10)] == [100, 150, 200]
    assert scale.clamp(99) == 200


def test_the_extent_of_nothing_and_of_one_value_can_be_drawn():
    assert extent([]) == (0.0, 1.0)
    low, high = extent([3.0])
    assert low < 3.0 < high


def test_months_begin_where_the_calendar_says_also_over_new_year():
    low, high = datetime(2013, 11, 15, tzinfo=UTC).timestamp(), datetime(2014, 1, 2, tzinfo=UTC).timestamp()

    assert [name for _, name in month_starts(low, high)] == ["Dec", "Jan"]


def test_a_missing_value_breaks_the_line_and_makes_no_point():
    drawn = chart(weekly([0.7, 0.8, None, 0.6, 0.7]))

    assert len(drawn.findall(".//path[@class='line']")) == 2
    assert len(drawn.findall(".//circle")) == 4


def test_a_higher_value_stands_higher():
    drawn = chart(weekly([0.6, 0.9]))

    lower, higher = (float(dot.get("cy")) for dot in drawn.findall(".//circle"))
    assert higher < lower


def test_what_lies_beyond_the_bounds_stays_in_the_picture():
    drawn = chart(weekly([0.5, 7.0]), bounds=(0.4, 0.9))

    height = float(drawn.get("viewBox").split()[3])
    assert all(0 <= float(dot.get("cy")) <= height for dot in drawn.findall(".//circle"))


def test_a_line_without_points_is_an_empty_pair_of_axes():
    assert chart([]).findall(".//circle") == []


def test_names_are_text_and_never_markup():
    told = plots.page("<script>alert(1)</script>", plots.table(["<b>"], [["<i>&"]]))

    assert "<script>" not in told
    assert "<i>" not in told
    assert "&lt;i&gt;&amp;" in told
    assert 'say="&quot;&gt;"' in tag("p", say='">')


def test_a_cell_beyond_the_threshold_has_the_colour_of_alarm():
    assert [shade(level) for level in (0.0, 0.5, 1.0, 1.01, 1.5, 40.0)] == ["h0", "h2", "h5", "h6", "h7", "h8"]


def test_a_heat_map_draws_the_cells_that_are_there_and_marks_alerts():
    cells = {(0, 0): plots.Heat(level=0.2, say="calm"), (1, 2): plots.Heat(level=2.0, say="moved", marked=True)}

    drawn = ElementTree.fromstring(plots.heat_map(["a", "b"], ["w1", "w2", "w3"], cells, width=400, label="drift"))

    assert len(drawn.findall(".//rect")) == 2
    assert [each.text for each in drawn.findall(".//title")] == ["calm", "moved"]
    assert len(drawn.findall(".//circle[@class='mark']")) == 1


def test_promises_that_were_kept_lie_on_the_diagonal():
    kept = [plots.Promise(promised=p, came=p, lower=p - 0.05, upper=p + 0.05, n=100) for p in (0.2, 0.5, 0.8)]

    drawn = ElementTree.fromstring(plots.reliability_chart("v1", kept, width=350, colour="c1"))

    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn.findall(".//circle")]
    slopes = {round((b[1] - a[1]) / (b[0] - a[0]), 3) for a, b in itertools.pairwise(dots)}
    assert len(slopes) == 1
    assert slopes.pop() < 0


def test_an_interval_reaches_from_its_lower_to_its_upper_end():
    row = plots.Interval(name="v2", value=0.01, lower=0.0, upper=0.02)

    drawn = ElementTree.fromstring(plots.forest([row], width=700, reference=0.0, label="gain"))

    whisker, dot = drawn.find(".//line[@class='whisker thick']"), drawn.find(".//circle")
    assert float(whisker.get("x1")) < float(dot.get("cx")) < float(whisker.get("x2"))
    assert float(drawn.find(".//line[@class='reference']").get("x1")) == float(whisker.get("x1"))


def test_a_figure_is_drawn_for_a_wide_and_a_narrow_reader():
    widths: list[int] = []

    def draw(width: int) -> plots.Html:
        widths.append(width)
        return plots.Html("<svg></svg>")

    plots.figure(draw)

    assert len(widths) == 2
    assert max(widths) > 800
    assert min(widths) < 390


def test_a_tree_is_open_to_its_depth_and_folded_below():
    root = plots.Branch("a", below=[plots.Branch("b", below=[plots.Branch("c", below=[plots.Branch("d")])])])

    told = plots.tree(root, open_to=2)

    assert len(re.findall(r"<details open", told)) == 2
    assert len(re.findall(r"<details", told)) == 3
    assert told.index("<b>a</b>") < told.index("<b>d</b>")


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.125, "0.12"), (-0.001, "0"), (12.5, "12.5"), (3, "3")])
def test_numbers_are_written_as_short_as_a_picture_needs(value, text):
    assert number(value) == text


def test_numbers_in_tables_stand_to_the_right_and_unknown_ones_are_a_dash():
    told = plots.table(["name", "n"], [["a", 1200], ["b", None]])

    assert '<td class="number">1,200</td>' in told
    assert '<td class="number">–</td>' in told
