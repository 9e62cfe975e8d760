"""`treadle up`: everything that a home needs to work by itself."""

from __future__ import annotations

import signal
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any

from treadle.faces.api.mlflow.asgi import MlflowFront
from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option
from treadle.faces.project_files import is_project
from treadle.faces.tokens import FILE_NAME, home_token
from treadle.faces.up import HomeLock, Household
from treadle.faces.up.answering import answering
from treadle.faces.up.lock import address_of
from treadle.faces.up.logs import logger
from treadle.faces.up.mlflow_flags import meaning_of
from treadle.ground.errors import Unavailable


def up(
    session: Session,
    *,
    host: Annotated[str | None, "the address (default: the setting; beyond loopback the home needs users)"] = None,
    port: Annotated[int | None, Option("the API's port; 0 takes a free one (default: the setting)", short="p")] = None,
    serve_port: Annotated[
        int | None, "the model server's port; 0 takes a free one. Given, it is started before anything is deployed"
    ] = None,
    allowed_hosts: Annotated[
        str | None, "further names under which the server is reached, with commas; * for any"
    ] = None,
    static_prefix: Annotated[str, "a beginning of paths under which everything is served too, such as /mlflow"] = "",
    default_artifact_root: Annotated[str | None, "where new experiments put artifacts (default: here, proxied)"] = None,
    artifacts_destination: Annotated[str | None, "where proxied artifacts are kept; the same as --artifacts"] = None,
    backend_store_uri: Annotated[str | None, "mlflow server's; postgresql://… is the same as --store"] = None,
    registry_store_uri: Annotated[str | None, "mlflow server's; the registry is in the store"] = None,
    workers: Annotated[int | None, Option("mlflow server's; one process answers", short="w")] = None,
    serve_artifacts: Annotated[bool, "mlflow server's; always so"] = False,
    no_serve_artifacts: Annotated[bool, "mlflow server's; takes --default-artifact-root"] = False,
    artifacts_only: Annotated[bool, "mlflow server's; not possible here"] = False,
    gunicorn_opts: Annotated[str | None, "mlflow server's; without effect"] = None,
    uvicorn_opts: Annotated[str | None, "mlflow server's; without effect"] = None,
    app_name: Annotated[str | None, "mlflow server's; see treadle users"] = None,
    expose_prometheus: Annotated[str | None, "mlflow server's; see /metrics"] = None,
) -> int:
    """Serves the API, MLflow's protocol and the deployed models, and runs what is scheduled, until it is stopped.

    It starts what schedules and triggers ask for, lands predictions in datasets, keeps the model server alive, and
    publishes the project when its files change. One works in a home at a time. Stopped (Ctrl-C, SIGTERM) it answers what
    is under way; killed, it loses nothing, and the next one goes on.

    MLflow's clients need nothing but the address: mlflow.set_tracking_uri("http://127.0.0.1:4700"). On loopback they are
    answered without credentials until the home has users (treadle users add).

    Other programs send the token of the home, which only you can read: Authorization: Bearer, and the text of api.token.
    """
    meaning = meaning_of(
        backend_store_uri=backend_store_uri,
        registry_store_uri=registry_store_uri,
        default_artifact_root=default_artifact_root,
        artifacts_destination=artifacts_destination,
        workers=workers,
        gunicorn_opts=gunicorn_opts,
        uvicorn_opts=uvicorn_opts,
        app_name=app_name,
        no_serve_artifacts=no_serve_artifacts,
        artifacts_only=artifacts_only,
        expose_prometheus=expose_prometheus,
    )
    session.override(**meaning.settings)
    settings = session.settings
    host = host or settings.host
    with HomeLock(settings.home) as lock:
        log = logger(session.out.stderr, as_json=session.out.as_json)
        for note in meaning.notes:
            log.warning(note)
        names = [name.strip() for name in (allowed_hosts or "").split(",") if name.strip()]
        port = settings.port if port is None else port
        server, front = answering(session.workspace, host, port, hosts=names, static_prefix=static_prefix)
        household = Household(
            session.workspace,
            log,
            serve_port=settings.serve_port if serve_port is None else serve_port,
            serves_at_once=serve_port is not None,
        )
        failures: list[Exception] = []

        def start() -> None:
            try:
                lock.answers_at(server.url)
                _start(session, server.url, household, front)
            except Exception as error:  # it ends the command, which raises it in its own thread
                failures.append(error)
                server.end()

        starting = threading.Thread(target=start, name="treadle-starting", daemon=True)
        # Until the API's own handlers stand, the signal that `kill` sends must not skip the way out.
        signal.signal(signal.SIGTERM, _as_ctrl_c)
        try:
            server.run(starting.start)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            session.out.note("stopping: what is under way is answered first")
            server.stop()
            if starting.ident is not None:
                starting.join()
            household.stop()
    if failures:
        raise failures[0]
    session.out.note("stopped")
    return 0


def _start(session: Session, url: str, household: Household, front: MlflowFront) -> None:
    """What happens once requests are answered: the rest of the household begins, and the person is told."""
    household.start()
    front.warm()
    settings = session.settings
    token_file = settings.home / FILE_NAME
    link = _link(settings.home, url)
    models, grpc = household.models.url, household.models.grpc_address
    answer = {
        "url": url,
        "pages_url": link,
        "models_url": models,
        "models_grpc": grpc,
        "home": settings.home,
        "token_file": token_file,
    }
    sheet: dict[str, object] = {"API": url, "MLflow": f'mlflow.set_tracking_uri("{url}")'}
    sheet |= {"models": models or "served as soon as one is deployed", "models, gRPC": grpc}
    sheet |= {"project": settings.project, "home": settings.home, "token": token_file}
    root = settings.project_root
    sheet |= {"code": f"{root} is published whenever its files change" if is_project(root) else None}

    def draw(paper: Paper) -> None:
        paper.sheet(sheet)
        paper.console.print(f"\nLook at it: {link}", soft_wrap=True)

    session.out.show(answer, draw)
    session.out.stdout.flush()


def open_pages(
    session: Session, *, show: Annotated[bool, "only print the address, and open no browser"] = False
) -> int:
    """Opens the pages of the `treadle up` that works in this home, signed in as its owner.

    The address that it prints signs in for twelve hours, so it is not one to pass on.
    """
    home = session.settings.home
    url = address_of(home)
    if url is None:
        raise NotUp(f"No `treadle up` works in {home}.", fix="Start one: treadle up")
    link = _link(home, url)
    session.out.show({"url": link}, lambda paper: paper.console.print(link, soft_wrap=True))
    if not show and not session.out.as_json:
        webbrowser.open(link)
    return 0


class NotUp(Unavailable):
    """Nothing serves this home."""

    code = "up.not_up"


def _link(home: Path, url: str) -> str:
    """The address of the pages that signs in whoever reads it."""
    from treadle.faces.api.web.sessions import Sessions

    return f"{url}/open?code={Sessions(home_token(home)).link_code()}"


def _as_ctrl_c(*_: Any) -> None:
    raise KeyboardInterrupt
