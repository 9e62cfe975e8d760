"""Every published attack on MLflow's server that we know of, tried on a running server of ours, where it fails.

Each case names the advisory and says what the attack did there. Beside the home lies a secret that no request may read,
change or remove, and nothing may appear around it; a second server listens that no request may make ours call; and the
interpreter is asked, by an audit hook, whether anything was unpickled or started.
"""

from __future__ import annotations

import ast
import base64
import http.client
import io
import pickle
import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.architecture.tree import PACKAGE, ROOT, modules
from tests.faces.mlflow.artifact_house import FILES, PROXY, TOKEN, House, served
from tests.faces.mlflow.artifact_house import ROOT as RUN_ROOT
from tests.faces.mlflow.artifact_house import RUN as RUN_ID
from treadle.ground.errors import TreadleError
from treadle.kernel.governance.identity.records import AddUser

SECRET = b"the secret of this machine"
PASSWORD = "a long and quite unlikely password 7"

_audited: list[str] = []


def _listen_in(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("pickle.find_class", "os.system", "subprocess.Popen", "os.posix_spawn"):
        _audited.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_listen_in)


class Range:
    """The place of the attacks: a served home, the secret beside it, and a listener inside the network."""

    def __init__(self, house: House, folder: Path, listener: socket.socket) -> None:
        self.house, self.folder, self.listener = house, folder, listener
        self.secret = folder / "secret.txt"
        self.secret.write_bytes(SECRET)
        self.inside = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.names = 0

    def raw(self, method: str, target: str, *, body: bytes = b"", token: str | None = TOKEN, **headers: str) -> bytes:
        """The whole answer to a request whose target goes over the wire letter by letter."""
        parts = urlsplit(self.house.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.putrequest(method, target, skip_host="Host" in headers)
        sent = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return (
            b"%d " % answer.status
            + b"\n".join(f"{k}: {v}".encode() for k, v in answer.getheaders())
            + b"\n\n"
            + content
        )

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.house.http.post(f"/api/2.0/mlflow/{path}", json=body)

    def fresh(self, what: str) -> str:
        self.names += 1
        return f"{what}-{self.names}"

    def version(self, source: str, **more: Any) -> tuple[str, httpx.Response]:
        """A model of its own with a version of that source, if the server takes it."""
        name = self.fresh("model")
        self.post("registered-models/create", name=name)
        return name, self.post("model-versions/create", name=name, source=source, **more)

    def read_version(self, name: str, path: str) -> bytes:
        return self.house.http.get(
            "/model-versions/get-artifact", params={"name": name, "version": "1", "path": path}
        ).content

    def run_at(self, location: str) -> str | None:
        """A run of an experiment with that artifact location, if the server takes it."""
        made = self.post("experiments/create", name=self.fresh("experiment"), artifact_location=location)
        if made.status_code != 200:
            return None
        run = self.post("runs/create", experiment_id=made.json()["experiment_id"], start_time=1).json()
        return str(run["run"]["info"]["run_id"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    folder = tmp_path_factory.mktemp("place")
    with socket.create_server(("127.0.0.1", 0)) as listener, served(folder / "home") as house:
        for name, role in (("reader", "read"), ("tracker", "track")):
            request = AddUser(name=name, password=PASSWORD, role=role)
            house.workspace.accounts.add(house.workspace.caller, request)
        house.put(f"{RUN_ROOT}/model/MLmodel", b"flavors: {}")
        yield Range(house, folder, listener)


@pytest.fixture(autouse=True)
def nothing_happened_beside_the_home(place: Range) -> Iterator[None]:
    before = _surroundings(place)
    _audited.clear()
    yield
    assert place.secret.read_bytes() == SECRET
    assert _surroundings(place) == before
    assert _calls_to(place.listener) == 0
    assert _audited == []


def _surroundings(place: Range) -> set[str]:
    """Everything beside the home; in it, everything but what stores rows, bytes and parts."""
    ours = ("treadle.db", "artifacts/", "uploads/", "api.token", "logs/")
    found = {str(path.relative_to(place.folder)) for path in place.folder.rglob("*")}
    return {path for path in found if not path.removeprefix("home/").startswith(ours)} - {
        "home/artifacts",
        "home/uploads",
    }


def _calls_to(listener: socket.socket) -> int:
    listener.settimeout(0)
    count = 0
    try:
        while True:
            listener.accept()[0].close()
            count += 1
    except BlockingIOError:
        return count


# Reading files of the machine through the source of a model version


def source_attacks(place: Range) -> dict[str, tuple[str, dict[str, Any], list[str]]]:
    """(source, further fields, paths to ask for) by advisory."""
    folder, deep = place.folder, "../" * 12
    prompt = {"tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
    own = {"run_id": RUN_ID}
    kept = f"mlflow-artifacts:/{RUN_ROOT}"
    return {
        "CVE-2023-1177: a version's source named a local folder, whose files were then served": (
            f"file://{folder}", {}, ["secret.txt"]),
        "CVE-2023-1177: the same, with the source as a plain path": (str(folder), own, ["secret.txt"]),
        "CVE-2023-2356: relative steps in the source left the artifact folder": (f"../..{folder}", own, ["secret.txt"]),
        "CVE-2023-2780: a file URI with a host and steps passed the check for local sources": (
            f"file://./..{folder}", own, ["secret.txt"]),
        "CVE-2023-3765: an absolute path with a drive passed as relative": ("C:/../..", own, [f"C:{folder}/secret.txt"]),
        "CVE-2023-6753: backslashes were steps on Windows": ("..\\..\\", own, ["..\\..\\secret.txt"]),
        "CVE-2023-6909: a fragment hid the steps in a source": (f"http://host/#/{deep}{folder}/", own, ["secret.txt"]),
        "CVE-2023-6977: sensitive files were read through a source in the registry": (f"file:{folder}", own, ["secret.txt"]),
        "CVE-2024-1483: a # in place of a ? hid the steps": (f"{kept}#/{deep}{folder}", own, ["secret.txt"]),
        "CVE-2024-1558: the check looked at the source decoded once, the reader decoded again": (
            f"{kept}/%252e%252e/%252e%252e/{folder}", own, ["secret.txt", "%252e%252e/secret.txt"]),
        "CVE-2024-1593: steps after a semicolon were parameters to the check and a path to the reader": (
            f"{kept};/{deep}{folder}", own, ["secret.txt", f";/{deep}secret.txt"]),
        "CVE-2024-2928: a fragment with steps passed the check": (f"{kept}/#/{deep}{folder}", own, ["secret.txt"]),
        "CVE-2024-3573: a URI with an empty or upper-case scheme was taken for a remote one": (
            f"FILE:{folder}", {}, ["secret.txt"]),
        "CVE-2024-3573: the same, with no scheme": (f"://{folder}", {}, ["secret.txt"]),
        "CVE-2024-3848: steps in a fragment after the fix of CVE-2023-6909": (
            f"mlflow-artifacts:/#/..//..//..{folder}", own, ["secret.txt"]),
        "CVE-2024-8859: dbfs: with a local path was read from the machine": (f"dbfs:{folder}", own, ["secret.txt"]),
        "CVE-2025-11201: the path of a model at its creation led out of the folder of models": (
            f"{kept}/{deep}{folder}", own, ["secret.txt"]),
        "CVE-2026-2614: the tag of a prompt switched the check of the source off": (
            str(folder), prompt, ["secret.txt"]),
    }  # fmt: skip


SOURCE_ATTACKS = list(source_attacks(type("Nowhere", (), {"folder": Path("/x")})()))  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", SOURCE_ATTACKS)
def test_no_source_of_a_version_reads_a_file_of_the_machine(place: Range, attack: str) -> None:
    source, more, paths = source_attacks(place)[attack]

    name, made = place.version(source, **more)
    answers = [place.read_version(name, path) for path in [*paths, str(place.secret), "../secret.txt"]]
    uri = place.house.http.get("/api/2.0/mlflow/model-versions/get-download-uri", params={"name": name, "version": "1"})

    assert all(SECRET not in answer for answer in [made.content, uri.content, *answers])


def test_cve_2023_1176_sources_do_not_tell_which_files_the_machine_has(place: Range) -> None:
    """The answer to a source told whether a file of that path existed."""
    told = []
    for path in (place.secret, place.folder / "nothing-here"):
        name, made = place.version(f"file://{path}", run_id=RUN_ID)
        told.append(
            (made.status_code, made.text.replace(str(path), "…"), place.read_version(name, "x").replace(b"2", b"1"))
        )

    assert told[0][:2] == told[1][:2]


# Reading, writing and deleting by paths in requests

STEPS = [
    "../secret.txt",
    "../../../../../../secret.txt",
    "..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e/%252e%252e/secret.txt",
    "%252e%252e%252fsecret.txt",
    "%25252e%25252e%25252fsecret.txt",
    "..%5c..%5csecret.txt",
    "..\\..\\secret.txt",
    "..;/..;/secret.txt",
    "./../secret.txt",
    "//{secret}",
    "/{secret}",
    "%2f{secret}",
    "%252f{secret}",
    "file://{secret}",
    "file:{secret}",
    "C:{secret}",
    "{root}/..%00/secret.txt",
    "{root}/../../../secret.txt",
    "{root}/%2e%2e/%2e%2e/%2e%2e/secret.txt",
    "{root}#/../../secret.txt",
    "{root}%23/../../secret.txt",
    "{root}?/../../secret.txt",
]


def spelled(place: Range, steps: str) -> str:
    return steps.replace("{secret}", str(place.secret)).replace("{root}", RUN_ROOT)


@pytest.mark.parametrize("steps", STEPS)
def test_no_path_reads_out_of_the_artifacts(place: Range, steps: str) -> None:
    """CVE-2023-30172, CVE-2023-6909, CVE-2024-2928: get-artifact and the proxy read files of the machine by their path."""
    path = spelled(place, steps)
    targets = [
        f"{FILES}/{path}",
        f"/ajax-api/2.0/mlflow-artifacts/artifacts/{path}",
        f"{FILES}?path={path}",
        f"/get-artifact?run_id={RUN_ID}&path={path}",
        f"/api/2.0/mlflow/artifacts/list?run_id={RUN_ID}&path={path}",
        f"{PROXY}/presigned/{path}",
        f"/static-files/{path}",
    ]

    for target in targets:
        assert SECRET not in place.raw("GET", target.replace(" ", "%20"))
        assert b"secret.txt" not in place.raw("GET", f"{FILES}?path={path.rpartition('/')[0]}")


@pytest.mark.parametrize("steps", STEPS)
def test_no_path_writes_out_of_the_artifacts(place: Range, steps: str) -> None:
    """CVE-2023-6015, CVE-2023-6018, CVE-2023-6975, CVE-2023-6976: uploads landed anywhere on the machine."""
    path = spelled(place, steps)

    place.raw("PUT", f"{FILES}/{path}", body=b"overwritten")
    place.raw("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={RUN_ID}&path={path}", body=b"overwritten")
    made = place.house.http.post(f"{PROXY}/mpu/create/x", json={"path": path, "num_parts": 1})
    place.raw(
        "POST", f"{PROXY}/mpu/create/{path}", body=b'{"path": "p", "num_parts": 1}', Content_Type="application/json"
    )

    if made.status_code == 200:
        assert httpx.put(made.json()["credentials"][0]["url"], content=b"overwritten").status_code == 200


@pytest.mark.parametrize("steps", STEPS)
def test_no_path_deletes_out_of_the_artifacts(place: Range, steps: str) -> None:
    """CVE-2023-6831, CVE-2024-1560: a path that was decoded twice deleted any folder of the machine."""
    place.house.put(f"{RUN_ROOT}/model/MLmodel", b"flavors: {}")

    place.raw("DELETE", f"{FILES}/{spelled(place, steps)}")

    if not steps.startswith(("{root}#", "{root}?")):  # what follows those is no part of the path
        assert place.house.get(f"{RUN_ROOT}/model/MLmodel").content == b"flavors: {}"


@pytest.mark.parametrize("upload", ["..", "../../secret", "%2e%2e", "upload_x/../..", "upload_01/../../../secret.txt"])
def test_no_id_of_an_upload_is_a_path(place: Range, upload: str) -> None:
    answer = place.raw(
        "PUT", f"{PROXY}/mpu/parts/{upload}/1?expires=9999999999999999&signature=x", body=b"x", token=None
    )

    assert answer[:3] in (b"400", b"403", b"404", b"405", b"401")


# Artifact locations of experiments

LOCATIONS = {
    "CVE-2024-1594: steps in the fragment of an artifact location": "http:///#/../../../../../..{folder}/",
    "CVE-2024-2928: a fragment with steps": "mlflow-artifacts:/x#/../../../..{folder}",
    "CVE-2024-1483: the same with parameters": "mlflow-artifacts:/x;/../../..{folder}?y",
    "CVE-2023-6975: a folder of the machine as artifact location": "file://{folder}",
    "CVE-2023-6975: the same as a plain path": "{folder}",
    "CVE-2023-6974: an address inside the network, which the server then called": "{inside}/latest/meta-data",
    "CVE-2023-6974: the same through the proxy's own route": "{inside}/api/2.0/mlflow-artifacts/artifacts/x",
}


@pytest.mark.parametrize("attack", LOCATIONS)
def test_no_location_of_an_experiment_leads_out_of_the_artifacts(place: Range, attack: str) -> None:
    location = LOCATIONS[attack].format(folder=place.folder, inside=place.inside)
    run = place.run_at(location)

    if run is not None:
        for path in ("secret.txt", "../secret.txt", ""):
            listed = place.raw("GET", f"/api/2.0/mlflow/artifacts/list?run_id={run}&path={path}")
            got = place.raw("GET", f"/get-artifact?run_id={run}&path={path}")
            place.raw("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=new{path}", body=b"new")
            assert b'"path":"secret.txt"' not in listed
            assert SECRET not in got


# Being made to call others


@pytest.mark.parametrize("path", ["", "/latest/meta-data/iam", "/../../file"])
def test_cve_2023_6974_no_source_makes_the_server_call_an_address(place: Range, path: str) -> None:
    """A version's source at an address inside the network was fetched by the server."""
    name, _ = place.version(f"{place.inside}{path}")

    place.read_version(name, "x")


def test_cve_2024_0520_no_data_set_is_fetched_and_no_name_of_it_becomes_a_file(place: Range) -> None:
    """The name under which a data set was downloaded came from the other side, with steps."""
    source = f'{{"url": "{place.inside}/..%2f..%2fsecret.txt"}}'
    dataset = {"name": "../../secret.txt", "digest": "d", "source_type": "http", "source": source}

    answer = place.post("runs/log-inputs", run_id=RUN_ID, datasets=[{"dataset": dataset}])

    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1", "0x7f000001"])
def test_cve_2026_2393_no_webhook_calls_an_address_inside(place: Range, host: str) -> None:
    """A webhook's URL was called by the server wherever it led: cloud credentials were had that way."""
    for url in (f"http://{host}/latest", f"https://{host}/latest", place.inside):
        events = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
        answer = place.post("webhooks", name=place.fresh("hook"), url=url, events=events)
        if answer.status_code == 200:
            identifier = answer.json()["webhook"]["webhook_id"]
            place.house.http.post(f"/api/2.0/mlflow/webhooks/{identifier}/test", json={})
        else:
            assert answer.status_code == 400


# Who may do what


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "attack",
    [
        "CVE-2023-6014: an account was made by a request that was not authenticated",
        "CVE-2025-1473: a page of another site made an account through the form of the sign-up",
        "CVE-2025-1474: an account was made without a password",
    ],
)
def test_no_account_is_made_by_who_is_not_let_in(place: Range, attack: str) -> None:
    before = place.house.http.get("/api/v1/users/list").json()
    body = b'{"username": "mallory", "password": "", "name": "mallory"}'
    for target in ("/api/2.0/mlflow/users/create", "/signup", "/api/2.0/mlflow/users/create-ui", "/api/v1/users/add"):
        for media in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            answer = place.raw("POST", target, body=body, token=None, Content_Type=media)
            assert answer[:3] in (b"401", b"403", b"404", b"405", b"415", b"501")
            foreign = place.raw("POST", target, body=body, Content_Type=media, Origin="http://evil.example")
            assert foreign[:3] in (b"403", b"404", b"501")

    assert place.house.http.get("/api/v1/users/list").json() == before


@pytest.mark.parametrize("password", ["", "a", "password", "12345678", "mallory"])
def test_cve_2025_11200_and_cve_2025_1474_weak_and_empty_passwords_are_refused(place: Range, password: str) -> None:
    """Empty and guessable passwords were taken."""
    accounts, owner = place.house.workspace.accounts, place.house.workspace.caller

    if password:
        with pytest.raises(TreadleError):
            accounts.add(owner, AddUser(name="mallory", password=password))
    for name in ("reader", "mallory"):
        assert place.raw("GET", FILES, Authorization=basic(name, password))[:3] == b"401"


def test_cve_2026_2635_there_is_no_account_that_everybody_knows(place: Range) -> None:
    """A first administrator came with a password that stood in the documentation."""
    for name, password in (("admin", "password"), ("admin", "password1234"), ("admin", "admin"), ("root", "")):
        assert place.raw("GET", FILES, Authorization=basic(name, password))[:3] == b"401"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", f"{FILES}/{RUN_ROOT}/model"),
        ("PUT", f"{FILES}/{RUN_ROOT}/model/MLmodel"),
        ("POST", f"{PROXY}/mpu/create/{RUN_ROOT}/model"),
        ("POST", f"{PROXY}/mpu/complete/{RUN_ROOT}/model"),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={RUN_ID}&path=model/MLmodel"),
    ],
)
def test_who_may_only_read_changes_no_artifact(place: Range, method: str, target: str) -> None:
    """CVE-2024-4263, CVE-2026-2651: the proxy's routes of artifacts asked for no permission."""
    body = b'{"path": "MLmodel", "num_parts": 1, "upload_id": "u", "parts": []}'
    place.house.put(f"{RUN_ROOT}/model/MLmodel", b"flavors: {}")

    answer = place.raw(
        method, target, body=body, Content_Type="application/json", Authorization=basic("reader", PASSWORD)
    )

    assert answer.startswith(b"403")
    assert place.house.get(f"{RUN_ROOT}/model/MLmodel").content == b"flavors: {}"


def test_no_route_but_the_public_ones_answers_without_credentials(place: Range) -> None:
    """CVE-2026-0545, CVE-2026-2652, CVE-2025-15381: routes beside the main application stood outside the login."""
    from treadle.faces.api.mlflow.dispatch import all_routes

    answered = []
    for route in all_routes():
        filled = route.path.replace(":path", "").replace("{", "").replace("}", "")
        for prefix in ("",) if filled.startswith("/") else ("/api/", "/ajax-api/"):
            status = place.raw(
                route.method, f"{prefix}{filled}", body=b"{}", token=None, Content_Type="application/json"
            )[:3]
            if status not in (b"401", b"501") and not route.is_public:
                answered.append((route.method, filled, status))

    assert answered == []
    public = {route.path for route in all_routes() if route.is_public}
    assert public <= {"/version", "/health", "2.0/mlflow-artifacts/mpu/parts/{upload}/{number}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_a_page_of_another_site_gets_nothing_from_a_server_on_this_machine(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    """CVE-2023-43472, CVE-2025-14279: a page in the browser, also under a name that led to 127.0.0.1, used the API."""
    with socket.create_server(("127.0.0.1", 0)) as listener, served(tmp_path / "home", is_open=True) as house:
        local = Range(house, tmp_path, listener)

        for method, target in (("GET", FILES), ("POST", "/api/2.0/mlflow/experiments/create"), ("PUT", f"{FILES}/x")):
            answer = local.raw(method, target, body=b'{"name": "e"}', token=None, Content_Type="text/plain", **headers)
            assert answer.startswith(b"403")


# What is in the files


class _Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize(
    ("advisory", "name"),
    [
        ("CVE-2024-37052: a scikit-learn model", "model.pkl"),
        ("CVE-2024-37053: a scikit-learn model, by cloudpickle", "model.pkl"),
        ("CVE-2024-37054: a pyfunc model", "python_model.pkl"),
        ("CVE-2024-37055: a pmdarima model", "model.pmd"),
        ("CVE-2024-37056: a LightGBM model", "model.pkl"),
        ("CVE-2024-37057: a TensorFlow model's custom objects", "data/keras_module.txt.pkl"),
        ("CVE-2024-37058: a LangChain agent", "agent.pkl"),
        ("CVE-2024-37059: a PyTorch model", "data/model.pth"),
        ("CVE-2024-37060: a card of a recipe", "card.pkl"),
    ],
)
def test_no_pickle_is_unpickled_by_the_server(place: Range, advisory: str, name: str) -> None:
    """Whoever loaded the model ran the code in it; the server of ours stores, lists, registers and serves it as bytes."""
    folder = f"{RUN_ROOT}/{place.fresh('evil')}"
    evil = pickle.dumps(_Evil(place.folder / "pwned"))
    flavor = (
        b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: " + name.encode() + b"\n"
    )
    _audited.clear()

    place.house.put(f"{folder}/{name}", evil)
    place.house.put(f"{folder}/MLmodel", flavor)
    model, made = place.version(f"mlflow-artifacts:/{folder}", run_id=RUN_ID)
    place.house.list(folder)
    again = place.read_version(model, name)

    assert made.status_code == 200
    assert again == evil == place.house.get(f"{folder}/{name}").content
    assert not (place.folder / "pwned").exists()


def test_nothing_that_serves_requests_names_a_way_to_run_what_is_in_a_file() -> None:
    """CVE-2023-6940, CVE-2024-37061, CVE-2023-4033, CVE-2025-14287, CVE-2025-15379, CVE-2026-0596: configurations,
    projects, container names and model URIs were run as commands; archives and templates were unpacked and rendered."""
    rooms = ("treadle.faces.api", "treadle.wire.mlflow", "treadle.systems.train", "treadle.kernel.store")
    forbidden = {
        "pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal", "subprocess", "jinja2", "tarfile", "zipfile",
        "runpy", "code",
    }  # fmt: skip
    calls = {"eval", "exec", "compile", "__import__"}
    found = []
    for module in modules():
        if not module.name.startswith(rooms):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                found += [f"{module.name}: {one.name}" for one in node.names if one.name.split(".")[0] in forbidden]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in forbidden:
                found.append(f"{module.name}: {node.module}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
                found.append(f"{module.name}: {node.func.id}()")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "yaml.unsafe_load",
                "yaml.full_load",
                "os.system",
            ):
                found.append(f"{module.name}: {ast.unparse(node.func)}()")

    assert found == []


def test_no_command_of_ours_goes_through_a_shell() -> None:
    """CVE-2023-4033, CVE-2025-14287: names and paths went into a command line that a shell read."""
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
            or ast.unparse(node.func) in ("os.system", "os.popen", "subprocess.getoutput")
        )
    ]

    assert found == []
    assert PACKAGE.is_relative_to(ROOT)


def test_archives_stay_archives(place: Range) -> None:
    """CVE-2025-15031, CVE-2025-15036: members of an archive with steps in their names were unpacked outside of it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("../../secret.txt", "/tmp/pwned-by-tar", "ok.txt"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"tar"))
    place.house.put(f"{RUN_ROOT}/packed/model.tar.gz", packed.getvalue())

    place.version(f"mlflow-artifacts:/{RUN_ROOT}/packed", run_id=RUN_ID)

    assert place.house.list(f"{RUN_ROOT}/packed") == [
        {"path": "model.tar.gz", "is_dir": False, "file_size": len(packed.getvalue())}
    ]
    assert not Path("/tmp/pwned-by-tar").exists()


@pytest.mark.parametrize(
    ("advisory", "name", "content"),
    [
        ("CVE-2023-6709: a template in a recipe was rendered and ran code", "recipe.yaml", b"{{ 7 * 191 }}"),
        ("CVE-2024-27132: a template's variable became script in a notebook", "recipe.html", b"<script>1337</script>"),
        ("CVE-2024-27133: a field of a data set became script in a notebook", "card.html", b"<script>1337</script>"),
        (
            "CVE-2026-33865: the MLmodel that a page parsed became script",
            "MLmodel",
            b"!!js/function 'function(){1337}'",
        ),
    ],
)
def test_what_is_uploaded_is_handed_out_as_it_is_and_never_as_a_page(
    place: Range, advisory: str, name: str, content: bytes
) -> None:
    place.house.put(f"{RUN_ROOT}/pages/{name}", content)

    for answer in (
        place.house.get(f"{RUN_ROOT}/pages/{name}"),
        place.house.http.get("/get-artifact", params={"run_id": RUN_ID, "path": f"pages/{name}"}),
    ):
        assert answer.content == content
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_cve_2023_6568_what_a_request_says_of_itself_is_no_part_of_a_page(place: Range) -> None:
    """The Content-Type of a request came back in a page of HTML, script and all."""
    answer = place.raw(
        "POST", "/api/2.0/mlflow/experiments/create", body=b"{}", Content_Type="<script>alert(1)</script>"
    )

    assert answer.startswith(b"400")
    assert b"application/json" in answer.partition(b"\n\n")[0].lower()
    assert b"<script>" not in answer


def test_cve_2025_0453_many_queries_in_one_request_are_not_worked_on(place: Range) -> None:
    """Batches of GraphQL queries kept every worker busy."""
    query = b'{"query": "{ ' + b"a: mlflowGetExperiment(input: {}) { experiment { name } } " * 5000 + b'}"}'

    assert place.raw("POST", "/graphql", body=query, Content_Type="application/json").startswith(b"501")


def test_cve_2025_10279_and_cve_2022_0736_what_the_server_creates_is_not_everybody_s_to_write(place: Range) -> None:
    """Temporary folders could be written by every user of the machine."""
    upload = place.house.http.post(f"{PROXY}/mpu/create/x", json={"path": "p", "num_parts": 1}).json()
    httpx.put(upload["credentials"][0]["url"], content=b"part")
    incoming = place.house.workspace.tracking.files.begin(place.house.workspace.caller, "x/half")
    incoming.write(b"half")

    open_to_all = [path for path in (place.folder / "home").rglob("*") if path.stat().st_mode & 0o002]
    spools = [path for path in (place.folder / "home").rglob("*.part") if path.stat().st_mode & 0o077]

    incoming.abort()
    assert (open_to_all, spools) == ([], [])
    assert not [path for path in Path(tempfile.gettempdir()).glob("treadle-*") if path.stat().st_mode & 0o002]
