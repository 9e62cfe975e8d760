"""Settings by clicking: members, their tokens, who is told, and the soundness of the store."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Looker

PASSWORD = "correct horse battery"


def test_a_member_is_added_gets_a_token_and_is_removed(looker: Looker) -> None:
    page = looker.visit("/settings")
    page.get_by_role("button", name="Add a member").click()
    dialog = page.get_by_role("dialog", name="Add a member")
    dialog.get_by_label("Name").fill("grace")
    dialog.locator("input[type=password]").fill(PASSWORD)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("cell", name="grace")).to_be_visible()

    page.get_by_role("tab", name="Tokens").click()
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("dialog").get_by_label("For", exact=True).fill("nightly")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    assert [token["label"] for token in looker.house.ask("tokens.list")] == ["nightly"]

    page.get_by_role("tab", name="Members").click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Only you, the owner.")).to_be_visible()
    assert looker.house.ask("users.list") == []


def test_what_is_refused_is_said_in_the_question_itself(looker: Looker) -> None:
    page = looker.visit("/settings")
    page.get_by_role("button", name="Add a member").click()
    dialog = page.get_by_role("dialog", name="Add a member")
    dialog.get_by_label("Name").fill("Grace Hopper")
    dialog.get_by_role("button", name="Add", exact=True).click()

    expect(dialog.get_by_role("alert")).to_contain_text("'Grace Hopper' cannot be a user's name.")
    looker.complaints.clear()  # the browser itself notes that the server refused


def test_the_store_is_examined_and_a_clean_up_is_shown_before_it_is_done(looker: Looker) -> None:
    page = looker.visit("/settings?tab=storage")

    expect(page.get_by_role("cell", name="event chain")).to_be_visible()
    page.get_by_role("button", name="What would go?").click()
    expect(page.get_by_text("Would be condemned")).to_be_visible()
