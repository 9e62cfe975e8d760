"""Datasets by clicking: two snapshots compared, a question asked, an incident looked after, a refused row given up."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Looker


def test_two_snapshots_are_chosen_and_compared(looker: Looker) -> None:
    page = looker.visit("/datasets/flights?tab=snapshots")
    page.get_by_role("checkbox", name="Compare v1", exact=True).check()
    page.get_by_role("checkbox", name="Compare v3", exact=True).check()
    page.get_by_role("button", name="Compare the two").click()

    expect(page.get_by_role("heading", name="v1 beside v3")).to_be_visible()
    expect(page.get_by_text("rows came")).to_be_visible()


def test_a_question_is_asked_in_sql_and_its_address_can_be_shared(looker: Looker) -> None:
    page = looker.visit("/datasets/flights?tab=query")
    page.get_by_label("A question in SQL").fill("select carrier, count(*) as n from flights group by 1 order by 2 desc")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("cell", name="UA", exact=True)).to_be_visible()

    page.reload()
    expect(page.get_by_role("cell", name="UA", exact=True)).to_be_visible()


def test_a_question_that_cannot_be_answered_says_why(looker: Looker) -> None:
    page = looker.visit("/datasets/flights?tab=query")
    page.get_by_label("A question in SQL").fill("select nothing_like_that from flights")
    page.get_by_role("button", name="Ask").click()

    expect(page.get_by_role("alert")).to_contain_text("nothing_like_that")
    looker.complaints.clear()  # the browser itself notes that the server refused


def test_an_incident_is_taken_and_ended_with_a_reason(looker: Looker) -> None:
    incident = looker.house.ask("incidents.list")[0]
    page = looker.visit(f"/datasets/{incident['dataset']}?tab=incidents")
    row = page.get_by_role("row").filter(has_text=incident["title"][:40]).first
    row.get_by_role("button", name="Resolve").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("the source was mended")
    dialog.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    states = {one["id"]: one["state"] for one in looker.house.ask("incidents.list", state="resolved")}
    assert incident["id"] in states


def test_a_refused_row_shows_the_rule_that_it_broke_in_words(looker: Looker) -> None:
    page = looker.visit("/datasets/flights?tab=quarantine&state=released")
    page.get_by_role("row").filter(has_text="left_").first.locator("td").nth(2).click()

    expect(page.get_by_role("dialog", name="A refused row").get_by_text("left_").first).to_be_visible()
