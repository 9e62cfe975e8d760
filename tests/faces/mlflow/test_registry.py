"""The registry over MLflow's protocol: its answers, its errors, and that it is Treadle's own registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.mlflow.registry_house import MODELS, VERSIONS, Client
from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.systems.train import Registration
from treadle.systems.train.registry.requests import PromoteModel, RegisterModel, VersionNamed

PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as workspace:
        yield Client(workspace)


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if not key.endswith("_timestamp")}


def test_a_version_is_written_with_all_that_clients_read(client: Client) -> None:
    client.model()

    made = client.version(run_id="r1", description="first", tags=[{"key": "k", "value": "v"}], run_link="http://l")

    assert without_times(made) == {
        "name": "m",
        "version": "1",
        "current_stage": "None",
        "description": "first",
        "source": "s3://bucket/model",
        "run_id": "r1",
        "status": "READY",
        "tags": [{"key": "k", "value": "v"}],
        "run_link": "http://l",
    }


def test_a_model_shows_the_newest_version_of_each_stage(client: Client) -> None:
    client.model()
    for _ in range(3):
        client.version()
    client.made(f"{VERSIONS}/transition-stage", name="m", version="2", stage="production")
    client.made(f"{MODELS}/alias", name="m", alias="champion", version="2")

    _, answer = client.get(f"{MODELS}/get", name="m")

    found = answer["registered_model"]
    assert [(one["version"], one["current_stage"]) for one in found["latest_versions"]] == [
        ("3", "None"),
        ("2", "Production"),
    ]
    assert found["aliases"] == [{"alias": "champion", "version": "2"}]


@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        ("create", {"name": "m"}, "RESOURCE_ALREADY_EXISTS", "Registered Model (name=m) already exists."),
        ("create", {}, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'. See the API docs for "),
        ("create", {"name": "  "}, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'."),
        ("create", {"name": "a/b"}, "INVALID_PARAMETER_VALUE", "Invalid model name 'a/b'. Names cannot contain '/' or"),
        ("create", {"name": ".."}, "INVALID_PARAMETER_VALUE", "Invalid value \"..\" for parameter 'name' supplied: "),
        ("create", {"name": "m", "tags": PROMPT}, "RESOURCE_ALREADY_EXISTS", "Tried to create a prompt with name 'm', "),
        ("alias", {"name": "m", "alias": "Latest", "version": "1"}, "INVALID_PARAMETER_VALUE", "'latest' alias name"),
        ("alias", {"name": "m", "alias": "v12", "version": "1"}, "INVALID_PARAMETER_VALUE", "Version alias name 'v12' "),
        ("alias", {"name": "m", "alias": "a b", "version": "1"}, "INVALID_PARAMETER_VALUE", "Invalid alias name: 'a b'."),
        ("alias", {"name": "m", "alias": "a", "version": "x"}, "INVALID_PARAMETER_VALUE", "Parameter 'version' must be"),
        ("alias", {"name": "m", "alias": "a", "version": "9"}, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=m, version=9"),
        ("set-tag", {"name": "m", "key": "a$b"}, "INVALID_PARAMETER_VALUE", "Invalid value \"a$b\" for parameter 'key' "),
        ("set-tag", {"name": "m", "key": "k" * 251}, "INVALID_PARAMETER_VALUE", "'key' exceeds the maximum length of 250 "),
        ("set-tag", {"name": "z", "key": "k"}, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=z not found"),
        ("rename", {"name": "m"}, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'new_name'."),
        ("rename", {"name": "m", "new_name": "n"}, "RESOURCE_ALREADY_EXISTS", "Registered Model (name=n) already exists."),
    ],
)  # fmt: skip
def test_what_a_model_cannot_be_is_refused_in_the_words_that_clients_match_on(
    client: Client, path: str, body: dict[str, Any], code: str, message: str
) -> None:
    client.model()
    client.model("n")
    client.version()

    status, answer = client.post(f"{MODELS}/{path}", **body)

    assert (status, answer["error_code"]) == (404 if code == "RESOURCE_DOES_NOT_EXIST" else 400, code)
    assert answer["message"].startswith(message)


def test_aliases_are_found_moved_and_taken_away(client: Client) -> None:
    client.model()
    client.version()
    client.version()
    client.made(f"{MODELS}/alias", name="m", alias="champion", version="1")
    client.made(f"{MODELS}/alias", name="m", alias="champion", version="2")

    assert client.get(f"{MODELS}/alias", name="m", alias="champion")[1]["model_version"]["version"] == "2"
    assert client.get(f"{MODELS}/alias", name="m", alias="latest")[1]["model_version"]["version"] == "2"
    assert client.send("DELETE", f"{MODELS}/alias", name="m", alias="champion") == (200, {})
    assert client.send("DELETE", f"{MODELS}/alias", name="m", alias="champion") == (200, {})
    status, answer = client.get(f"{MODELS}/alias", name="m", alias="champion")
    assert (status, answer["message"]) == (400, "Registered model alias champion not found.")


def test_a_protected_alias_answers_a_sentence_and_stays(client: Client) -> None:
    client.model()
    client.version()
    client.version()
    client.made(f"{MODELS}/alias", name="m", alias="champion", version="1")
    house = client.workspace
    protection = {"evidence": ["gate"]}
    house.store.write(lambda tx: house.refs.protect(tx, house.project, "model/m@champion", protection, actor="ada"))

    status, answer = client.post(f"{MODELS}/alias", name="m", alias="champion", version="2")

    assert status == 409
    assert "passed evidence of the kind 'gate'" in answer["message"]
    assert client.send("DELETE", f"{MODELS}/alias", name="m", alias="champion")[0] == 409
    assert client.get(f"{MODELS}/alias", name="m", alias="champion")[1]["model_version"]["version"] == "1"


def test_what_treadle_registers_clients_of_the_protocol_see_and_the_other_way_round(client: Client) -> None:
    house, ada = client.workspace, client.workspace.caller
    registration = Registration(model="late", digest="sha256:" + "a" * 64, signature={"task": "binary"})
    house.registry.models.register(ada, RegisterModel(registration=registration))
    client.version("late")

    assert client.get(f"{MODELS}/alias", name="late", alias="latest")[1]["model_version"]["version"] == "2"
    house.registry.models.promote(ada, PromoteModel(model="late", version=1))
    assert client.get(f"{VERSIONS}/get", name="late", version="1")[1]["model_version"]["aliases"] == ["champion"]
    found = house.registry.models.get(ada, VersionNamed(model="late", version="2")).version
    assert (found.source, found.number) == ("s3://bucket/model", 2)


def test_searches_leave_prompts_out_unless_they_are_asked_for(client: Client) -> None:
    client.model()
    client.version()
    client.model("greeting", tags=PROMPT)
    client.version("greeting", "dummy-source", tags=[*PROMPT, {"key": "mlflow.prompt.text", "value": "hi"}])

    def names(path: str, **query: str) -> list[str]:
        answer = client.get(f"{path}/search", **query)[1]
        return [one["name"] for one in next(iter(answer.values()), [])]

    for path in (MODELS, VERSIONS):
        assert names(path) == ["m"]
        assert names(path, filter="tags.`mlflow.prompt.is_prompt` = 'true'") == ["greeting"]
        assert names(path, filter="tags.`mlflow.prompt.is_prompt` != 'true'") == ["m"]
        assert names(path, filter="name = 'greeting' AND tags.`mlflow.prompt.is_prompt` = 'true'") == ["greeting"]
        assert names(path, filter="tags.`mlflow.prompt.is_prompt` = 'true' OR name = 'm'", order_by="name") == [
            "greeting",
            "m",
        ]


def test_pages_of_versions_neither_skip_nor_repeat_while_others_register(client: Client) -> None:
    client.model()
    for _ in range(5):
        client.version()
    seen: list[str] = []
    token = ""
    while True:
        query = {"max_results": "2", "order_by": "version_number ASC", "page_token": token}
        answer = client.get(f"{VERSIONS}/search", **query)[1]
        seen += [one["version"] for one in answer["model_versions"]]
        token = answer.get("next_page_token", "")
        if not token:
            break
        client.send("DELETE", f"{VERSIONS}/delete", name="m", version="1")

    assert seen == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        (VERSIONS, {"max_results": "0"}, "Invalid value for max_results. It must be a positive integer, but got 0"),
        (VERSIONS, {"max_results": "200001"}, "Invalid value \"200001\" for parameter 'max_results' supplied:"),
        (MODELS, {"max_results": "1001"}, "Invalid value \"1001\" for parameter 'max_results' supplied:"),
        (VERSIONS, {"filter": "bogus = 'm'"}, "Invalid attribute key 'bogus' specified."),
        (MODELS, {"order_by": "bogus"}, "Invalid"),
    ],
)
def test_searches_that_cannot_be_done_say_why(client: Client, path: str, query: dict[str, str], message: str) -> None:
    status, answer = client.get(f"{path}/search", **query)

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer["message"].startswith(message)


def test_a_stage_is_no_text_of_a_truth_value_and_archiving_needs_an_active_stage(client: Client) -> None:
    client.model()
    client.version()
    asked = {"name": "m", "version": "1", "stage": "None"}

    assert client.post(f"{VERSIONS}/transition-stage", **asked, archive_existing_versions="true")[0] == 400
    assert client.post(f"{VERSIONS}/transition-stage", **asked, archive_existing_versions=True)[0] == 400
    assert client.post(f"{VERSIONS}/transition-stage", **asked)[0] == 200


def test_a_description_that_is_not_sent_is_taken_away(client: Client) -> None:
    client.model(description="about")
    client.version(description="first")

    _, version = client.send("PATCH", f"{VERSIONS}/update", name="m", version="1")
    _, model = client.send("PATCH", f"{MODELS}/update", name="m")

    assert "description" not in version["model_version"]
    assert "description" not in model["registered_model"]


@pytest.mark.parametrize(
    ("source", "named", "code", "message"),
    [
        ("models:/m@gone", {}, "INVALID_PARAMETER_VALUE", "Registered model alias gone not found."),
        ("models:/m/9", {}, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=m, version=9) not found"),
        ("models:/m/Production", {}, "RESOURCE_DOES_NOT_EXIST", "No versions of model with name 'm' and stage 'Production'"),
        ("models://h/m/1", {}, "INVALID_PARAMETER_VALUE", "Invalid model version source: 'models://h/m/1'. Registered "),
        ("models:/m/1", {"run_id": "other"}, "INVALID_PARAMETER_VALUE", "Invalid model version source: 'models:/m/1'. The "),
        ("file:///x", {"run_id": "none"}, "INVALID_PARAMETER_VALUE", "Invalid model version source: 'file:///x'. The run_id "),
        ("file:///x", {}, "INVALID_PARAMETER_VALUE", "Invalid model version source: 'file:///x'. To use a local path"),
        ("s3://b/%2e%2e/x", {}, "INVALID_PARAMETER_VALUE", "Invalid model version source: 's3://b/%2e%2e/x'. If supplying"),
        ("https://h/x", {}, "INVALID_PARAMETER_VALUE", "'source' cannot use the 'https' scheme: the 'https' scheme "),
    ],
)  # fmt: skip
def test_a_source_that_is_not_ones_own_is_refused_before_anything_else(
    client: Client, source: str, named: dict[str, str], code: str, message: str
) -> None:
    client.model()
    client.version(run_id="r1")

    for name in ("m", "a/b"):
        status, answer = client.post(f"{VERSIONS}/create", name=name, source=source, **named)
        assert (status, answer["error_code"]) == (404 if code == "RESOURCE_DOES_NOT_EXIST" else 400, code)
        assert answer["message"].startswith(message)
