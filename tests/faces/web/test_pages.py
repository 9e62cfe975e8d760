"""The built pages as the server hands them out: every path is a page, none may be framed, and files are kept by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faces.mlflow.serving import serving
from treadle.faces.api.web.bundle import Bundle, bundle

needs_pages = pytest.mark.skipif(not bundle().is_built, reason="the pages are not built: make web")


@pytest.fixture
def http(tmp_path: Path) -> Iterator[httpx.Client]:
    with serving(tmp_path) as house:
        yield house.http


@needs_pages
@pytest.mark.parametrize("path", ["/", "/runs", "/datasets/orders?tab=profile", "/no/such/page", "/etc/passwd"])
def test_every_path_beside_the_api_is_the_application(http: httpx.Client, path: str) -> None:
    answer = http.get(path)

    assert answer.status_code == 200
    assert '<div id="app">' in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@needs_pages
def test_files_are_sent_compressed_and_kept_for_good(http: httpx.Client) -> None:
    name = http.get("/").text.partition('src="/assets/')[2].partition('"')[0]

    packed = http.get(f"/assets/{name}")
    plain = http.get(f"/assets/{name}", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert "immutable" in packed.headers["cache-control"]


@needs_pages
def test_a_file_that_is_gone_is_not_answered_with_a_page(http: httpx.Client) -> None:
    assert http.get("/assets/index-of-an-older-version.js").status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_in_the_api_is_a_problem_and_no_page(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/api/v1/nothing/here")

    assert (answer.status_code, answer.json()["code"]) == (404, "api.path_not_found")


def test_a_link_from_another_site_opens_a_page_but_calls_nothing(http: httpx.Client) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    assert http.get("/runs", headers=followed).status_code in (200, 503)
    assert http.get("/api/v1/datasets/list", headers=followed).status_code == 403
    assert http.get("/runs", headers={**followed, "Sec-Fetch-Mode": "no-cors"}).status_code == 403


def test_a_checkout_without_pages_says_how_to_build_them(tmp_path: Path) -> None:
    assert not Bundle(tmp_path).is_built
