"""Who is let in to the pages: by a link, by a token, by a password; and what a cookie is good for."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faces.mlflow.serving import Serving, serving
from treadle.faces.api.web.sessions import Sessions
from treadle.faces.tokens import home_token
from treadle.kernel.governance import Caller
from treadle.kernel.governance.identity.records import AddUser

OWNER = Caller(project="default", actor="ada")
PASSWORD = "correct horse battery"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as house:
        yield house


def browser(house: Serving) -> httpx.Client:
    return httpx.Client(base_url=house.server.url, trust_env=False)


def link(house: Serving) -> str:
    return f"/open?code={Sessions(home_token(house.workspace.home)).link_code()}"


def test_a_link_signs_in_the_owner_and_leaves_no_code_in_the_address(house: Serving) -> None:
    with browser(house) as page:
        opened = page.get(link(house))
        session = page.get("/api/v1/session").json()

    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    assert (session["actor"], session["is_owner"], session["permissions"]) == ("ada", True, ["*"])


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(house: Serving) -> None:
    with browser(house) as page:
        attributes = page.get(link(house)).headers["set-cookie"].lower()

    assert "httponly" in attributes
    assert "samesite=strict" in attributes
    assert home_token(house.workspace.home).lower() not in attributes


@pytest.mark.parametrize("code", ["", "x", "gAAAAABnope", "%00", "a" * 5000])
def test_a_link_that_is_not_ours_lets_nobody_in(house: Serving, code: str) -> None:
    with browser(house) as page:
        opened = page.get("/open", params={"code": code})

        assert opened.headers["location"] == "/?link=over"
        assert page.get("/api/v1/session").status_code == 401


def test_a_link_of_another_home_lets_nobody_in(house: Serving) -> None:
    with browser(house) as page:
        page.get(f"/open?code={Sessions('another token').link_code()}")

        assert page.get("/api/v1/session").status_code == 401


def test_a_user_signs_in_by_password_and_may_what_their_role_may(house: Serving) -> None:
    house.workspace.accounts.add(OWNER, AddUser(name="grace", password=PASSWORD, role="read"))
    with browser(house) as page:
        signed = page.post("/api/v1/session", json={"name": "grace", "password": PASSWORD})
        session = page.get("/api/v1/session").json()
        refused = page.post("/api/v1/datasets/create", json={"name": "orders"})

    assert signed.status_code == 204
    assert (session["actor"], session["is_owner"]) == ("grace", False)
    assert refused.status_code == 403


def test_signing_out_ends_the_session_on_the_server_too(house: Serving) -> None:
    house.workspace.accounts.add(OWNER, AddUser(name="grace", password=PASSWORD, role="read"))
    with browser(house) as page:
        page.post("/api/v1/session", json={"name": "grace", "password": PASSWORD})
        before = house.workspace.accounts.tokens(OWNER)
        page.delete("/api/v1/session")
        asked = page.get("/api/v1/session").status_code

    assert [token.label for token in before] == ["web session"]
    assert house.workspace.accounts.tokens(OWNER) == []
    assert asked == 401


@pytest.mark.parametrize(
    "given", [{}, {"token": "no"}, {"name": "grace", "password": "no"}, {"name": "nobody", "password": "x"}]
)
def test_whoever_does_not_know_the_secret_is_told_what_to_do(house: Serving, given: dict[str, str]) -> None:
    house.workspace.accounts.add(OWNER, AddUser(name="grace", password=PASSWORD))

    with browser(house) as page:
        problem = page.post("/api/v1/session", json=given).json()

    assert (problem["status"], problem["code"]) == (401, "api.sign_in_failed")
    assert "treadle open" in problem["fix"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token": 1}', b'{"who": "me"}', b"{" * 5000])
def test_a_body_that_is_no_sign_in_is_refused(house: Serving, body: bytes) -> None:
    with browser(house) as page:
        assert page.post("/api/v1/session", content=body).status_code in (400, 422)


def test_a_page_of_another_port_cannot_use_the_cookie(house: Serving) -> None:
    foreign = {"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-site"}
    with browser(house) as page:
        page.get(link(house))

        assert page.post("/api/v1/datasets/list", headers=foreign, json={}).status_code == 403
        assert page.get("/api/v1/events/live", headers=foreign).status_code == 403


def test_credentials_that_were_sent_come_before_the_cookie(house: Serving) -> None:
    with browser(house) as page:
        page.get(link(house))

        assert page.get("/api/v1/session", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_forged_cookie_is_nobodys(house: Serving) -> None:
    port = urllib.parse.urlsplit(house.server.url).port
    with browser(house) as page:
        asked = page.get("/api/v1/session", headers={"Cookie": f"treadle-{port}={'A' * 120}"})

    assert asked.status_code == 401


def test_a_signed_in_user_sees_logged_files_and_a_stranger_does_not(house: Serving) -> None:
    house.workspace.accounts.add(OWNER, AddUser(name="grace", password=PASSWORD, role="track"))
    with browser(house) as page:
        asked = {"path": "nothing.txt", "run_uuid": "0" * 32}
        stranger = page.get("/get-artifact", params=asked)
        page.post("/api/v1/session", json={"name": "grace", "password": PASSWORD})
        signed = page.get("/get-artifact", params=asked)

    assert stranger.status_code == 401
    assert signed.status_code == 404
