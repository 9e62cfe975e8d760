"""Whatever comes over the protocol, the answer is the protocol's: random and mutated requests to every route.

What a handler reads is learnt by listening to it, so that most of a request has the right names and some of it the right
values; the rest is what nobody should send.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faces.mlflow.calling import Client
from tests.faces.mlflow.serving import serving
from treadle.faces.api.mlflow.dispatch import all_routes
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route
from treadle.faces.api.mlflow.routing import _PARAMETER, Table
from treadle.testing.postgres import postgres_store_database

ROUTES = [route for route in all_routes() if "_refusal" not in route.handler.__qualname__]
NAMES = [f"{route.method} {route.path}" for route in ROUTES]
LEAKS = ("Traceback", "site-packages", ".py", "sqlalchemy", "sqlite3", "psycopg", "asyncpg")
QUICK = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
LONG = settings(max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck))

INTEGERS = [0, 1, -1, 2, 5, 1000, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400]
NUMBERS = [*INTEGERS, 0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]
TEXTS = [
    "", " ", "0", "1", "-1", "NaN", "9" * 30, "9" * 5000, "\x00", "a\x00b", "\ud800", "é😀\u202e", "²", "١", "a" * 300, "a" * 9000,
    "../../etc/passwd", "a/../b", "/", "//", ".", "a//b", "%00", "%2e%2e", "'; drop table run; --", "{}", "[]", "null", "\"",
    "file:///etc/passwd", "http://127.0.0.1:1/x", "https://[::1]/", "https://[", "models:/m/1", "models:/m@a", "models:/",
    "runs:/x/y", "s3://b/k", "mlflow-artifacts:/0", "metrics.m > 1", "params.p LIKE '%", "tags.`a b` = 'x'", "a = ", "(" * 5000,
    "tags.x = 'y' AND " * 500 + "tags.x = 'y'", "name RLIKE '(a+)+$'", "name ILIKE '%\x00%'", "attributes.start_time > 1e400",
    "metrics.m DESC", "attributes.start_time ASC", "name", "RUNNING", "READY", "Production", "ACTIVE_ONLY", "AVG", "COUNT",
    "=", "1970-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "eyJvZmZzZXQiOiAxfQ==", "e30=", "AAAA", "10s", "1e99s", "sha256:" + "0" * 64,
]  # fmt: skip


def values() -> st.SearchStrategy[Any]:
    """Any JSON, also such as no standard has."""
    leaf = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.text(max_size=8))
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*TEXTS[:12], "key", "value"]), inner, max_size=3)
        ),
        max_leaves=6,
    )


def fitting(hint: Any, known: list[str], *, deep: int = 4) -> st.SearchStrategy[Any]:
    """Mostly what a field of this type takes, at times anything."""
    kinds: list[st.SearchStrategy[Any]] = []
    for part in get_args(hint) if get_origin(hint) not in (list, dict, tuple) and get_args(hint) else (hint,):
        inner = get_args(part)
        if part is str:
            kinds += [st.sampled_from(known), st.sampled_from(known), st.sampled_from(TEXTS), st.text(max_size=6)]
        elif part is bool:
            kinds.append(st.booleans())
        elif part in (int, float):
            kinds += [st.sampled_from(INTEGERS if part is int else NUMBERS), st.integers(0, 3)]
        elif get_origin(part) in (list, tuple):
            kinds.append(st.lists(fitting(inner[0], known, deep=deep), max_size=3))
        elif get_origin(part) is dict:
            kinds.append(
                st.dictionaries(st.sampled_from(TEXTS + known), fitting(inner[1], known, deep=deep), max_size=3)
            )
        elif isinstance(part, type) and issubclass(part, msgspec.Struct) and deep:
            kinds.append(bodies(part, known, deep=deep - 1))
    return st.one_of(*kinds, *kinds, *kinds, values()) if kinds else values()


def bodies(kind: Any, known: list[str], *, deep: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """A request of this struct, with some of its fields."""
    hints = get_type_hints(kind)
    fields = {field.encode_name: fitting(hints[field.name], known, deep=deep) for field in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries({}, optional=fields)


RAW = [
    b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b"\x00", b"{}" * 2, b"[" * 100_000, b'{"a":' * 50_000, b'"' + b"\\u0000" * 9 + b'"',
    b'{"run_id": NaN}', b'{"name": 1e999}', b"-", b'{"max_results": ' + b"9" * 5000 + b"}", b'"{\\"name\\": 1}"', b'"null"', b"\x0a\x05abc",
]  # fmt: skip
MEDIA = ["application/json"] * 9 + ["application/x-protobuf", "text/plain", "multipart/form-data; boundary=x", "", None]


class House(Client):
    """A home in which something of each kind is, and what each route reads."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.home = home
        self.known = ["0"]
        self.seeds = 0

    def seed(self) -> None:
        """Something of each kind: earlier requests may have removed it."""
        self.seeds += 1
        label = f"m{self.seeds}"
        run = self.run(tags=[{"key": "t", "value": "v"}])
        self.post("runs/log-batch", run_id=run, metrics=[{"key": "m", "value": 1.0, "timestamp": 1, "step": 0}])
        experiment = self.post("experiments/create", name=label)["experiment_id"]
        self.post("registered-models/create", name=label)
        source = f"runs:/{run}/model"
        made = self.post("model-versions/create", name=label, source=source, run_id=run)
        self.post("registered-models/alias", name=label, alias="a", version=made["model_version"]["version"])
        model = self.post("logged-models", experiment_id="0", name=label)["model"]["info"]["model_id"]
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
        told = {
            "trace_id": f"tr-{self.seeds}",
            "trace_location": place,
            "request_time": "2026-01-01T00:00:00Z",
            "state": "OK",
        }
        trace = self.sent("POST", "3.0/mlflow/traces", {"trace": {"trace_info": told}})
        data = self.sent("POST", "3.0/mlflow/datasets/create", {"name": label, "experiment_ids": ["0"]})
        self.sent(
            "POST", "3.0/mlflow/scorers/register", {"experiment_id": "0", "name": label, "serialized_scorer": "{}"}
        )
        self.known[:] = [
            "0", run, experiment, label, "a", "1", model, trace["trace"]["trace_info"]["trace_id"], data["dataset"]["dataset_id"], "m", "t", source,
            f"models:/{label}/1", f"0/{run}/artifacts/x",
        ]  # fmt: skip

    def sent(self, method: str, path: str, body: Any) -> Any:
        headers = {"content-type": "application/json"}
        answer = self._dispatcher.call(
            self.workspace.caller, method, path, headers=headers, body=json.dumps(body).encode()
        )
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def try_route(self, route: Route, path: str, query: dict[str, list[str]], body: bytes, media: str | None) -> Answer:
        headers = {} if media is None else {"content-type": media}
        return self._dispatcher.call(
            self.workspace.caller,
            route.method,
            path,
            query=query,
            headers=headers,
            body=body,
            pieces=[body],
            base_url="http://x",
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("fuzz") / "home")
    yield house
    house.close()


def kinds_of(house: House, route: Route, patched: pytest.MonkeyPatch) -> list[Any]:
    """The structs that a route's handler reads."""
    kinds: list[Any] = []
    read = Exchange.read

    def listening(exchange: Exchange, kind: Any) -> Any:
        kinds.append(kind)
        return read(exchange, kind)

    with patched.context() as context:
        context.setattr(Exchange, "read", listening)
        house.try_route(route, _PARAMETER.sub("0", route.path), {}, b"{}", "application/json")
    return kinds


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def try_once(house: House, route: Route, kinds: list[Any], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(kinds)) if kinds else None
    fields = data.draw(bodies(kind, house.known) if kind else st.just({}))
    path = route.path
    for found in _PARAMETER.finditer(route.path):
        place = data.draw(st.sampled_from(house.known) | st.sampled_from(house.known) | st.sampled_from(TEXTS))
        path = path.replace(found[0], place)
    if route.method == "GET":
        more = data.draw(
            st.dictionaries(
                st.sampled_from(["path", "run_id", "name", "version", "trace_id", "x"]),
                st.sampled_from(TEXTS + house.known),
                max_size=2,
            )
        )
        query = {
            name: [shown(one) for one in given] if isinstance(given, list) else [shown(given)]
            for name, given in (more | fields).items()
        }
        body = b""
    else:
        query = data.draw(
            st.dictionaries(
                st.sampled_from(["path", "run_uuid", "expires", "signature"]),
                st.sampled_from(TEXTS + house.known).map(lambda one: [one]),
                max_size=2,
            )
        )
        body = data.draw(
            st.just(json.dumps(fields).encode()) | st.just(json.dumps(fields).encode()) | st.sampled_from(RAW)
        )
    answer = house.try_route(route, path, query, body, data.draw(st.sampled_from(MEDIA)))
    try:
        check(house, answer)
    except AssertionError as error:
        raise AssertionError(f"{route.method} {path!r} {query!r} {body[:600]!r}: {error}") from None


def check(house: House, answer: Answer) -> None:
    assert answer.status < 500 or answer.status == 501, (answer.status, answer.body)
    if answer.file is not None:
        answer.file.close()
    if answer.status < 400:
        return
    told = json.loads(answer.body)
    assert isinstance(told["error_code"], str)
    assert isinstance(told["message"], str)
    assert not any(leak in told["message"] for leak in (*LEAKS, str(house.home))), told


def tried(house: House, route: Route, monkeypatch: pytest.MonkeyPatch, how: settings) -> None:
    house.seed()
    kinds = kinds_of(house, route, monkeypatch)

    @how
    @given(st.data())
    def every(data: st.DataObject) -> None:
        try_once(house, route, kinds, data)

    every()
    assert house.get("experiments/get", experiment_id="0")


@pytest.fixture(autouse=True)
def the_first_experiment_stands(house: House) -> Iterator[None]:
    yield
    house.call("POST", "experiments/restore", {}, {"experiment_id": "0"})


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_no_request_makes_a_route_fail(house: House, route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(house, route, monkeypatch, QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_no_request_of_very_many_makes_a_route_fail(
    house: House, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(house, route, monkeypatch, LONG)


HALF_PAIR = "\ud800"
NESTED = "[" * 700 + "]" * 700


@pytest.mark.parametrize("value", [HALF_PAIR, f'{{"a": "{HALF_PAIR}"}}', NESTED, f'{{"a": {NESTED}}}'])
def test_texts_that_no_store_takes_and_bottomless_values_are_the_request_s_fault(house: House, value: str) -> None:
    run = house.run()
    house.seed()

    for path, body in (
        ("2.0/mlflow/runs/log-model", {"run_id": run, "model_json": value}),
        ("2.0/mlflow/runs/set-tag", {"run_id": run, "key": value[:9], "value": value}),
        ("3.0/mlflow/datasets/create", {"name": value[:9], "tags": value}),
    ):
        route, _ = Table(ROUTES).find("POST", path) or pytest.fail(path)
        check(house, house.try_route(route, path, {}, json.dumps(body).encode(), "application/json"))
    assert house.get("runs/get", run_id=run)


@pytest.mark.parametrize("text", ["a\x00b", HALF_PAIR])
def test_over_http_and_on_postgresql_too(tmp_path: Path, text: str) -> None:
    with postgres_store_database() as url, serving(tmp_path / "home", store=url) as house:
        run = house.http.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()
        id = run["run"]["info"]["run_id"]

        told = [
            house.http.post(
                f"/api/2.0/mlflow/{path}", content=json.dumps(body), headers={"content-type": "application/json"}
            )
            for path, body in (
                ("runs/set-tag", {"run_id": id, "key": "k", "value": text}),
                ("runs/log-parameter", {"run_id": id, "key": "k", "value": text}),
                ("experiments/create", {"name": text}),
                ("registered-models/create", {"name": text}),
                ("runs/search", {"experiment_ids": ["0"], "filter": f"tags.k = '{text}'"}),
            )
        ]
        after = house.http.get("/api/2.0/mlflow/runs/get", params={"run_id": id})

    assert {one.status_code for one in told} == {400}, [one.text for one in told]
    assert {one.json()["error_code"] for one in told} == {"INVALID_PARAMETER_VALUE"}
    assert after.status_code == 200
