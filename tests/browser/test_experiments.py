"""Experiments by clicking: filter, choose columns, order, compare, look at a file; and what a filter cannot be."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Looker


def test_runs_are_filtered_in_the_filter_language_and_the_address_keeps_it(looker: Looker) -> None:
    experiment, _ = looker.house.tracked()
    page = looker.visit(f"/experiments/{experiment}")
    page.get_by_label("Filter", exact=True).fill("params.rate = '0.1'")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()

    page.reload()
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="rate 0.1")).to_be_visible()


def test_a_filter_that_is_none_says_why(looker: Looker) -> None:
    experiment, _ = looker.house.tracked()
    page = looker.visit(f"/experiments/{experiment}")
    page.get_by_label("Filter", exact=True).fill("metrics.loss <")
    page.get_by_role("button", name="Filter", exact=True).click()

    expect(page.get_by_role("alert")).to_be_visible()
    looker.complaints.clear()  # the browser itself notes that the server refused


def test_runs_are_ordered_by_the_server_at_a_click_on_a_metric(looker: Looker) -> None:
    experiment, _ = looker.house.tracked()
    page = looker.visit(f"/experiments/{experiment}")
    heading = page.get_by_role("columnheader", name="accuracy")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", re.compile("ascending|descending"))
    first = page.get_by_role("row").nth(1).inner_text()
    heading.get_by_role("button").click()

    expect(page.get_by_role("row").nth(1)).not_to_have_text(first)


def test_chosen_runs_are_compared_and_what_differs_stands_out(looker: Looker) -> None:
    experiment, _ = looker.house.tracked()
    page = looker.visit(f"/experiments/{experiment}")
    page.get_by_role("checkbox", name="Choose rate 0.3").check()
    page.get_by_role("checkbox", name="Choose rate 0.1").check()
    page.get_by_role("button", name="Compare 2").click()

    expect(page.get_by_role("rowheader", name="rate", exact=True)).to_be_visible()
    expect(page.get_by_role("rowheader", name="model")).to_have_count(0)
    page.get_by_role("switch").check(force=True)
    expect(page.get_by_role("rowheader", name="model")).to_be_visible()


def test_a_file_that_a_run_left_is_shown_in_place(looker: Looker) -> None:
    experiment, runs = looker.house.tracked()
    page = looker.visit(f"/experiments/{experiment}/runs/{runs[0]}?tab=files")
    page.get_by_role("button", name=re.compile("notes.csv")).click()

    expect(page.get_by_role("columnheader", name="step")).to_be_visible()
    expect(page.get_by_role("cell", name="199")).to_be_visible()
