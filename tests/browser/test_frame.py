"""The frame around every page: who is let in, keys, the palette, what is live and what is not."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.browser.conftest import House, Looker
from treadle.faces.api.web.sessions import Sessions


def test_whoever_is_not_known_is_asked_for_a_token_and_let_in_with_it(house: House, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{house.url}/activity")
        page.locator("input[name=token]").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("This is not a token of this home.")
        page.locator("input[name=token]").fill(house.token)
        page.get_by_role("button", name="Sign in").click()

        expect(page.get_by_role("heading", name="Activity")).to_be_visible()


def test_the_link_of_the_terminal_lets_its_owner_in(house: House, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{house.url}/open?code={Sessions(house.token).link_code()}")

        expect(page.locator("main h1")).to_be_visible()
        assert page.url == f"{house.url}/"


def test_signing_out_ends_what_can_be_seen(looker: Looker) -> None:
    page = looker.visit("/activity")
    page.get_by_role("button", name=re.compile("in flights")).click()
    page.get_by_role("menuitem", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in to Treadle")).to_be_visible()
    looker.complaints.clear()  # the browser itself notes that the server answered 401


def test_keys_go_to_places_and_help(looker: Looker) -> None:
    page = looker.visit("/")
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Activity")).to_be_visible()
    page.keyboard.press("?")

    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_the_palette_finds_a_dataset_by_its_name(looker: Looker) -> None:
    page = looker.visit("/activity")
    page.keyboard.press("Control+k")
    page.get_by_role("textbox", name="Search").fill("planes")
    page.get_by_role("button", name=re.compile("planes")).first.click()

    expect(page).to_have_url(re.compile("/datasets/planes"))


def test_what_happens_elsewhere_is_shown_without_loading_anew(looker: Looker) -> None:
    page = looker.visit("/activity")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    looker.house.ask("datasets.create", name="shown_at_once")

    expect(page.get_by_role("link", name="dataset/shown_at_once")).to_be_visible()


def test_a_server_that_is_away_is_not_hidden(looker: Looker) -> None:
    page = looker.visit("/activity")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("window.stop()")

    expect(page.get_by_text("not connected")).to_be_visible()
    looker.complaints.clear()  # the browser itself notes that the network is gone


def test_the_scheme_that_was_chosen_is_kept(looker: Looker) -> None:
    page = looker.visit("/activity")
    page.get_by_role("button", name="Show it dark").click()
    page.reload()

    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
