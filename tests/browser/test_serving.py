"""Models and endpoints by clicking: promote, split, roll back; each is the verb that the command line calls."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Looker

ENDPOINT = "late-arrival"


def test_an_alias_is_moved_with_a_reason_that_stands_in_the_log(looker: Looker) -> None:
    page = looker.visit(f"/models/{ENDPOINT}/1")
    page.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Alias").fill("trusted")
    dialog.get_by_label("Why").fill("it was looked at")
    dialog.get_by_role("button", name="Promote").click()

    expect(page.locator("h1").get_by_text("trusted")).to_be_visible()
    moved = looker.house.ask("models.history", model=ENDPOINT)["moves"][-1]
    assert (moved["name"], moved["version"], moved["reason"]) == ("trusted", 1, "it was looked at")


def test_traffic_is_split_by_a_slider_and_taken_back_in_one_click(looker: Looker) -> None:
    page = looker.visit(f"/endpoints/{ENDPOINT}")
    before = looker.house.ask("endpoints.get", endpoint=ENDPOINT)["endpoint"]["route"]["weights"]
    page.get_by_role("button", name="Split it").click()
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("button", name="Split it")).to_be_visible()
    split = looker.house.ask("endpoints.get", endpoint=ENDPOINT)["endpoint"]["route"]

    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    after = looker.house.ask("endpoints.get", endpoint=ENDPOINT)["endpoint"]["route"]

    assert split["kind"] == "split"
    assert sum(split["weights"].values()) == 1
    assert (after["kind"], after["weights"]) == ("rollback", before)


def test_an_endpoint_is_tried_from_a_form_and_its_answer_has_a_page(looker: Looker) -> None:
    page = looker.visit(f"/endpoints/{ENDPOINT}")
    page.get_by_role("button", name="Try").click()
    drawer = page.get_by_role("dialog", name=f"Try {ENDPOINT}")
    drawer.get_by_label("distance").fill("2475")
    drawer.get_by_role("button", name="Ask").click()
    link = drawer.get_by_role("link", name="pred_")
    expect(link).to_be_visible()
    prediction = link.inner_text()

    assert looker.house.ask("predictions.get", prediction_id=prediction)["inputs"]["distance"] == 2475


def test_a_row_that_is_none_is_refused_in_the_servers_words(looker: Looker) -> None:
    page = looker.visit(f"/endpoints/{ENDPOINT}")
    page.get_by_role("button", name="Try").click()
    drawer = page.get_by_role("dialog", name=f"Try {ENDPOINT}")
    drawer.get_by_label("distance").fill("far")
    drawer.get_by_role("button", name="Ask").click()

    expect(drawer.get_by_role("alert")).to_contain_text("distance")
    looker.complaints.clear()  # the browser itself notes that the server refused
