"""Who may do what over the network: nobody anything, once there are users, without showing who they are."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from tests.faces.mlflow.serving import Serving, serving
from treadle.assembly import Workspace, open_workspace
from treadle.faces.api import authentication
from treadle.faces.api.authentication import HomeAndUsers, HomeToken, require_safe_address
from treadle.faces.api.errors import ListeningRefused
from treadle.faces.api.mlflow.dispatch import all_routes
from treadle.faces.api.mlflow.exchange import Route
from treadle.kernel.governance import Caller
from treadle.kernel.governance.identity import secrets
from treadle.kernel.governance.identity.records import AddUser, CreateToken, TokenNamed, UserNamed
from treadle.kernel.governance.identity.roles import TRACKING

PASSWORD = "correct horse battery"
RUN = {"experiment_id": "0", "start_time": 1}
CREATE = "/api/2.0/mlflow/runs/create"
OPEN_TO_ALL = {"/health", "/version"}
SIGN_IN = {("POST", "/api/v1/session"), ("DELETE", "/api/v1/session"), ("GET", "/open")}
"""Whoever signs in is not known yet; whoever signs out ends the session of their own cookie alone."""
PAGES = ("GET", "/{path:path}")
"""The files of the web application, which hold nothing of a store."""
SIGNED = "2.0/mlflow-artifacts/mpu/parts/{upload}/{number}"
"""Its address is the credential: it holds a signature, without which the route refuses."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretching costs what it costs; here it may cost less, and nothing is remembered longer than a test."""
    monkeypatch.setattr(secrets, "_LOG_N", 4)
    monkeypatch.setattr(authentication, "LOOK_FOR_USERS_S", 0.0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Serving]:
    """A server whose home has users: ada does everything, bob tracks in one project, rea reads."""
    with serving(tmp_path / "home") as running:
        accounts, owner = running.workspace.accounts, running.workspace.caller
        accounts.add(owner, AddUser(name="ada", password=PASSWORD, role="admin"))
        accounts.add(owner, AddUser(name="bob", password=PASSWORD, role="track", projects=["bread"]))
        accounts.add(owner, AddUser(name="rea", password=PASSWORD, role="read"))
        yield running


def routes_of(house: Serving) -> Iterator[tuple[str, str]]:
    """Method and path of every route that the server has, MLflow's and our own."""
    house.http.get("/api/v1/openapi.json", headers=house.owner)
    verbs = house.server._server.config.app._app._app
    assert isinstance(verbs, Starlette)
    for route in verbs.routes:
        for method in route.methods - {"HEAD"}:
            yield method, route.path
    for route in all_routes():
        for path in spelled(route):
            yield route.method, path


def spelled(route: Route) -> list[str]:
    path = re.sub(r"\{\w+:path\}", "a/b", route.path)
    path = re.sub(r"\{\w+\}", "x", path)
    return [path] if path.startswith("/") else [f"/api/{path}", f"/ajax-api/{path}", f"/tracking/api/{path}"]


def test_no_route_but_health_and_version_is_answered_without_credentials(house):
    signed = re.sub(r"\{\w+\}", "x", SIGNED)
    let_in = [
        (method, path)
        for method, path in routes_of(house)
        if path not in OPEN_TO_ALL and not path.endswith(signed)
        if (method, path) not in {*SIGN_IN, PAGES}
        if house.http.request(method, path).status_code != 401
    ]

    assert let_in == []


def test_the_address_of_a_part_is_good_only_with_its_signature(house):
    answer = house.http.put("/api/2.0/mlflow-artifacts/mpu/parts/x/1", content=b"x")

    assert answer.status_code in (400, 403, 404)


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong", "Bearer tdl_wrong", "Basic !!!", "Basic YWRhOndyb25n", "Basic YWRh", "Digest x", "Bearer", ""],
)
def test_wrong_credentials_are_refused_in_the_protocol_s_form(house, authorization):
    answer = house.http.post(CREATE, json=RUN, headers={"Authorization": authorization})

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_user_is_let_in_by_password_or_token_and_acts_under_their_name(house):
    token = house.workspace.accounts.create_token(house.workspace.caller, CreateToken(user="ada", label="ci")).text
    by_password = house.http.post(CREATE, json=RUN, auth=("ada", PASSWORD))
    by_token = house.http.post(CREATE, json=RUN, headers={"Authorization": f"Bearer {token}"})
    as_password = house.http.post(CREATE, json=RUN, auth=("ada", token))
    of_another = house.http.post(CREATE, json=RUN, auth=("bob", token))
    run = by_password.json()["run"]["info"]["run_id"]

    assert [each.status_code for each in (by_password, by_token, as_password, of_another)] == [200, 200, 200, 401]
    assert run


def test_a_token_opens_the_verbs_too(house):
    token = house.workspace.accounts.create_token(house.workspace.caller, CreateToken(user="rea")).text
    headers = {"Authorization": f"Bearer {token}"}

    assert house.http.get("/api/v1/runs/list", headers=headers).status_code == 200
    assert house.http.post("/api/v1/users/remove", json={"name": "bob"}, headers=headers).status_code == 403


def test_who_reads_changes_nothing(house):
    answer = house.http.post(CREATE, json=RUN, auth=("rea", PASSWORD))

    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_user_works_in_their_own_projects_alone(house):
    at_home = house.http.post(CREATE, json=RUN, auth=("bob", PASSWORD))
    named = house.http.post(CREATE, json=RUN, auth=("bob", PASSWORD), headers={"X-MLFLOW-WORKSPACE": "bread"})
    elsewhere = house.http.post(CREATE, json=RUN, auth=("bob", PASSWORD), headers={"X-MLFLOW-WORKSPACE": "default"})

    assert [each.status_code for each in (at_home, named, elsewhere)] == [200, 200, 403]


def test_a_password_is_stretched_once_and_remembered_for_seconds(house, monkeypatch):
    house.http.post(CREATE, json=RUN, auth=("ada", PASSWORD))
    monkeypatch.setattr(secrets, "matches", lambda *_: pytest.fail("it was remembered"))

    assert house.http.post(CREATE, json=RUN, auth=("ada", PASSWORD)).status_code == 200


def test_a_revoked_token_and_a_removed_user_are_forgotten(house, monkeypatch):
    monkeypatch.setattr(authentication, "REMEMBERED_S", 0.0)
    accounts, owner = house.workspace.accounts, house.workspace.caller
    first, second = (accounts.create_token(owner, CreateToken(user=user)) for user in ("ada", "rea"))
    accounts.revoke_token(owner, TokenNamed(token=first.token.id))
    accounts.remove(owner, UserNamed(name="rea"))

    for text in (first.text, second.text):
        answer = house.http.get("/api/3.0/mlflow/server-info", headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 401


def test_nothing_secret_is_stored_and_every_change_left_an_event(house):
    made = house.workspace.accounts.create_token(house.workspace.caller, CreateToken(user="bob", label="ci"))
    house.workspace.accounts.revoke_token(house.workspace.caller, TokenNamed(token=made.token.id))
    with sqlite3.connect(house.workspace.home / "treadle.db") as store:
        dump = "\n".join(store.iterdump())
    kinds = [event.kind for event in house.workspace.events.newest("default")]

    assert PASSWORD not in dump
    assert made.text not in dump
    assert kinds == ["token.revoked", "token.created", "user.added", "user.added", "user.added"]


def test_on_loopback_a_home_without_users_asks_tracking_clients_for_nothing(tmp_path):
    with serving(tmp_path / "home") as house:
        assert house.http.post(CREATE, json=RUN).status_code == 200
        assert house.http.get("/api/v1/runs/list").status_code == 401
        house.workspace.accounts.add(house.workspace.caller, AddUser(name="ada", role="admin"))
        assert house.http.post(CREATE, json=RUN).status_code == 401


def test_the_caller_without_credentials_may_track_and_no_more():
    caller = Caller(project="default", actor="ada", permissions=TRACKING)

    assert all(caller.may(name) for name in ("run.write", "experiment.delete", "model.promote", "trace.read"))
    assert not any(
        caller.may(name) for name in ("code.run", "user.write", "dataset.write", "event.read", "endpoint.write")
    )


def test_beyond_loopback_a_home_without_users_is_not_served(tmp_path):
    with open_workspace(tmp_path / "home") as workspace:
        known = authenticator_of(workspace)
        with pytest.raises(ListeningRefused, match="does not listen"):
            require_safe_address("0.0.0.0", known)
        workspace.accounts.add(workspace.caller, AddUser(name="ada", role="admin"))

        require_safe_address("0.0.0.0", known)


def authenticator_of(workspace: Workspace) -> HomeAndUsers:
    return HomeAndUsers(HomeToken("t", actor="ada"), workspace.accounts)


def test_a_token_that_is_over_opens_nothing(tmp_path):
    with open_workspace(tmp_path / "home") as workspace:
        workspace.accounts.add(workspace.caller, AddUser(name="ada", role="admin"))
        token = workspace.accounts.create_token(workspace.caller, CreateToken(user="ada", days=1)).text
        before = workspace.accounts.by_token(token)
        day_after_tomorrow = workspace.clock().replace(year=workspace.clock().year + 1)
        workspace.accounts._clock = lambda: day_after_tomorrow

        assert before is not None
        assert workspace.accounts.by_token(token) is None


def test_a_stretched_password_says_how_it_was_made_and_matches_only_itself():
    stored = secrets.stretched("one", log_n=4)

    assert stored.startswith("scrypt$4$8$1$")
    assert secrets.matches("one", stored)
    assert not secrets.matches("two", stored)
    assert not secrets.matches("", "")
    assert stored != secrets.stretched("one", log_n=4)
