"""What holds for every page: it stands without a complaint, for everybody, in both schemes and at both widths."""

from __future__ import annotations

import pytest

from tests.browser.conftest import NARROW, WIDE, Looker

PAGES = {
    "home": "/",
    "activity": "/activity",
    "settings": "/settings",
    "settings-notifications": "/settings?tab=notifications",
    "settings-storage": "/settings?tab=storage",
}
"""By the name of its picture, each page that needs no id of the store to be found."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_for_everybody_in_both_schemes_and_at_both_widths(looker: Looker, name: str) -> None:
    page = looker.visit(PAGES[name])

    assert page.locator("[role=alert]").all_text_contents() == []
    looker.picture(name)
    assert looker.obstacles() == []

    page.emulate_media(color_scheme="dark")
    looker.picture(f"{name}-dark")
    assert looker.obstacles() == []

    page.set_viewport_size(NARROW)
    looker.picture(f"{name}-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.set_viewport_size(WIDE)


def test_an_address_that_is_none_says_so(looker: Looker) -> None:
    page = looker.visit("/no/such/page")

    assert "There is no such page" in page.locator("h1").inner_text()
