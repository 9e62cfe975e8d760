"""The story of the demo, followed by clicking only: an alert, the retraining that it started, the challenger, the decision; and
a single prediction, explained and made again."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Looker


def test_from_an_alert_to_the_decision_that_it_led_to(looker: Looker) -> None:
    page = looker.visit("/")
    page.get_by_role("link", name="Monitoring").click()
    page.get_by_text("All", exact=True).click()
    retrain = next(
        run
        for run in looker.house.ask("runs.list", kind="pipeline")["items"]
        if run["name"] == "retrain" and run["caused_by"]
    )
    alerts = {alert["event"]: alert["id"] for alert in looker.house.ask("alerts.list")}
    page.locator(f"a[href='/alerts/{alerts[retrain['caused_by']]}']").click()
    expect(page.get_by_text("What it led to")).to_be_visible()

    page.get_by_role("link", name="pipeline retrain").click()
    expect(page.locator("h1")).to_contain_text("retrain")
    expect(page.get_by_role("listitem").filter(has_text="fit").first).to_be_visible()
    page.go_back()
    page.get_by_role("link", name=re.compile("version 2$")).click()

    expect(page.locator("h1")).to_contain_text("late-arrival v2")
    expect(page.get_by_text("against").first).to_be_visible()
    expect(page.get_by_role("region", name="Gates")).to_be_visible()
    expect(page.get_by_role("figure")).to_be_visible()


def test_from_an_endpoint_to_a_prediction_that_is_explained_and_made_again(looker: Looker) -> None:
    page = looker.visit("/endpoints")
    page.get_by_role("link", name="late-arrival", exact=True).click()
    made = looker.house.ask("predictions.list", endpoint="late-arrival", limit=20)["items"]
    flight = next(one["prediction_id"] for one in made if one["entity"])  # not one that another test tried from a form
    page.locator(f"a[href='/predictions/{flight}']").click()
    expect(page.get_by_role("heading", name="What was answered")).to_be_visible()

    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("exact, by TreeSHAP")).to_be_visible()

    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("heading", name=re.compile("The same model, asked again"))).to_be_visible(timeout=60_000)
    expect(page.locator(".status", has_text="identical")).to_have_count(2)


def test_from_a_prediction_up_to_the_rows_that_it_was_made_from(looker: Looker) -> None:
    made = looker.house.ask("predictions.list", endpoint="late-arrival", limit=20)["items"]
    found = next(one for one in made if one["entity"])
    page = looker.visit(f"/predictions/{found['prediction_id']}")
    page.get_by_role("link", name="as a graph").click()
    expect(page.get_by_text(re.compile(r"^\d+ things$"))).to_be_visible()
    page.get_by_label("Find in the graph").fill("snapshot")
    thing = page.locator(".thing.on-way").first
    thing.click()

    expect(page.get_by_role("button", name="Begin here")).to_be_visible()
