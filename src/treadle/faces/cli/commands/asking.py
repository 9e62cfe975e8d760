"""`treadle endpoints try`, `bench` and `manifest`: ask a running server, measure it, take it to a cluster."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from treadle import __version__
from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Name = Annotated[str, "the endpoint"]
Url = Annotated[str | None, "where the model server is (default: this machine, at the setting serve_port)"]


def try_out(
    session: Session,
    name: Name,
    row: Annotated[str | None, Option('one row as JSON: {"temperature": 4.0} (default: one of the probe)')] = None,
    *,
    entity: Annotated[str | None, "whom it is about"] = None,
    url: Url = None,
) -> None:
    """Asks about one row, and shows the answer. It is logged as any other, but monitors and values leave it out."""
    example = session.client.endpoints.example(endpoint=name)
    asked = _row(row) if row is not None else dict(_rows(example)[0])
    request_id = f"treadle-try-{secrets.token_hex(8)}"
    body: dict[str, Any] = {"rows": [asked], "id": request_id, **({"entity": [entity]} if entity is not None else {})}
    answer = _ask(_place(session, url), f"/predict/{name}", body)

    def draw(paper: Paper) -> None:
        paper.title("Asked")
        paper.sheet({column: cell(asked.get(column)) for column in example.inputs} | {"about": entity})
        paper.title("Answered")
        by = {"by": f"version {answer['model_version']}, revision {answer['revision']}"} if "revision" in answer else {}
        paper.sheet({**{column: cell(value) for column, value in answer["predictions"][0].items()}, **by})

    session.out.show(answer, draw)


def bench(
    session: Session,
    name: Name,
    *,
    connections: Annotated[list[int] | None, "how many at once; repeat it (default: 1, 8 and 32)"] = None,
    rows: Annotated[int, "rows in each request, from the probe"] = 1,
    row: Annotated[str | None, "one row as JSON, in place of the probe's"] = None,
    seconds: Annotated[float, "how long each measurement takes"] = 2.0,
    url: Url = None,
) -> None:
    """Measures how quick a running server answers, from this machine. Answers are logged; monitors and values leave them out."""
    from treadle.systems.serve.measuring import measure, post

    example = session.client.endpoints.example(endpoint=name)
    known = [_row(row)] if row is not None else _rows(example)
    sent = [dict(known[at % len(known)]) for at in range(rows)]
    place = _place(session, url)
    body = json.dumps({"rows": sent, "id": "treadle-bench"}).encode()
    host, port = place.hostname or "127.0.0.1", place.port or 80
    request = post(place.netloc, f"{place.path.rstrip('/')}/predict/{name}", body, _headers())
    _ask(place, f"/predict/{name}", {"rows": sent, "id": "treadle-bench"})
    found = [measure(host, port, request, connections=n, seconds=seconds) for n in connections or (1, 8, 32)]

    def draw(paper: Paper) -> None:
        paper.table(
            ("connections", "requests/s", "rows/s", "p50 ms", "p90 ms", "p99 ms", "largest ms", "failed"),
            [
                (
                    one.connections,
                    f"{one.per_second:,.0f}",
                    f"{one.per_second * rows:,.0f}",
                    f"{one.p50_ms:.3f}",
                    f"{one.p90_ms:.3f}",
                    f"{one.p99_ms:.3f}",
                    f"{one.largest_ms:.2f}",
                    one.failed,
                )
                for one in found
            ],
        )
        paper.line(f"{name}, {example.engine}, {rows} row(s) a request; the client ran beside the server.", style="dim")

    session.out.show(found, draw)


def manifest(
    session: Session,
    name: Name,
    *,
    image: Annotated[str, "the image that is made of the Dockerfile, with its tag"],
    out: Annotated[
        Path | None, "a folder for kubernetes.yaml and Dockerfile (default: the YAML alone, printed)"
    ] = None,
    namespace: Annotated[str, "the namespace"] = "default",
    replicas: Annotated[int, "pods at least"] = 2,
    max_replicas: Annotated[int, "pods at most"] = 10,
    cpus: Annotated[float, "CPUs of each pod"] = 1.0,
    memory_mib: Annotated[int, "memory of each pod"] = 512,
    claim: Annotated[str, "the volume claim with the serving area"] = "treadle-serving",
    secret: Annotated[str, "the secret that has the token under the key token"] = "treadle-serve-token",  # noqa: S107
) -> None:
    """Writes what a Kubernetes cluster needs to serve it: the same server, over a shared serving area."""
    import yaml

    from treadle.systems.serve.manifests import ClusterPlan, dockerfile, manifests

    example = session.client.endpoints.example(endpoint=name)
    plan = ClusterPlan(
        name=name.replace(".", "-").replace("_", "-"),
        image=image,
        namespace=namespace,
        claim=claim,
        secret=secret,
        replicas=replicas,
        max_replicas=max_replicas,
        cpus=cpus,
        memory_mib=memory_mib,
    )
    made = manifests(plan)
    text = yaml.safe_dump_all(made, sort_keys=False)
    if out is None:
        session.out.show({"manifests": made}, lambda paper: paper.line(text.rstrip()))
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "kubernetes.yaml").write_text(text)
    (out / "Dockerfile").write_text(dockerfile(__version__, (example.engine,)))
    files = [out / "Dockerfile", out / "kubernetes.yaml"]
    session.out.show({"files": files}, lambda paper: paper.line(f"Wrote {files[0]} and {files[1]}."))


def _rows(example: Any) -> list[dict[str, Any]]:
    """The rows of the probe. Raises UsageWrong where the endpoint takes keys, which only its users know."""
    if not example.rows:
        names = ", ".join(f'"{name}": …' for name in example.inputs)
        raise UsageWrong(
            f"{example.endpoint} reads its features by key, and nobody knows here which there are.",
            fix=f"Give one row: '{{{names}}}'",
        )
    return list(example.rows)


def _row(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise UsageWrong(f"{text!r} is no JSON: {error}.", fix="Give one row: '{\"temperature\": 4.0}'") from None
    if not isinstance(row, dict):
        raise UsageWrong(f"{text!r} is no row.", fix="Give one row: '{\"temperature\": 4.0}'")
    return row


def _place(session: Session, url: str | None) -> Any:
    place = urlsplit(url or f"http://127.0.0.1:{session.settings.serve_port}")
    if place.scheme != "http" or not place.hostname:
        raise UsageWrong(f"{url!r} is no address of a model server.", fix="Give one such as http://127.0.0.1:4701")
    return place


def _headers() -> dict[str, str]:
    token = os.environ.get("TREADLE_SERVE_TOKEN", "").partition(",")[0].strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _ask(place: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer of the server. Raises NoServer, Refused."""
    import httpx

    from treadle.ground.errors import InvalidInput, Unavailable
    from treadle.systems.serve.measuring import NoServer

    address = f"http://{place.netloc}{place.path.rstrip('/')}{path}"
    try:
        answer = httpx.post(address, json=body, headers=_headers(), timeout=30)
    except httpx.HTTPError as error:
        raise NoServer(
            f"No model server answers at {place.netloc}.",
            why=str(error),
            fix="Start one with: treadle up. Or say where it is with --url.",
        ) from None
    if answer.status_code != 200:
        kind = Unavailable if answer.status_code >= 500 else InvalidInput
        raise kind(f"The server refused: {answer.json().get('error', answer.text)}")
    found: dict[str, Any] = answer.json()
    return found
