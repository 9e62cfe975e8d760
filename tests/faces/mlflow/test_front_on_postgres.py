"""The same answers where the store is PostgreSQL: what has to wait there holds nobody up, and users are kept there."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg

from tests.faces.mlflow.serving import serving
from treadle.kernel.governance.identity.records import AddUser, CreateToken
from treadle.testing.postgres import postgres_store_database

WAITS = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
RUN = {"experiment_id": "0", "start_time": 1}


def test_clients_log_at_once_and_users_are_asked_who_they_are(tmp_path: Path) -> None:
    with postgres_store_database() as url, serving(tmp_path / "home", store=url) as house:
        made = house.http.post("/api/2.0/mlflow/runs/create", json=RUN)
        run = made.json()["run"]["info"]["run_id"]

        def log(worker: int) -> None:
            for step in range(10):
                point = {"run_id": run, "key": f"m{worker}", "value": step, "timestamp": step + 1, "step": step}
                assert house.http.post("/api/2.0/mlflow/runs/log-metric", json=point).status_code == 200

        threads = [threading.Thread(target=log, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = house.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).json()["run"]["data"]["metrics"]
        accounts, owner = house.workspace.accounts, house.workspace.caller
        accounts.add(owner, AddUser(name="ada", role="track"))
        token = accounts.create_token(owner, CreateToken(user="ada")).text
        with_token = {"Authorization": f"Bearer {token}"}

        assert sorted((each["key"], each["value"]) for each in found) == [(f"m{worker}", 9) for worker in range(4)]
        house.server._server.config.app._identifier._authenticator._looked_at = 0.0
        assert house.http.post("/api/2.0/mlflow/runs/create", json=RUN).status_code == 401
        assert house.http.post("/api/2.0/mlflow/runs/create", json=RUN, headers=with_token).status_code == 200


def test_a_row_that_another_process_holds_holds_up_its_own_request_alone(tmp_path: Path) -> None:
    """The event loop answers small requests by itself; the one that would have to wait goes on in a thread."""
    with postgres_store_database() as url, serving(tmp_path / "home", store=url) as house:
        run = house.http.post("/api/2.0/mlflow/runs/create", json=RUN).json()["run"]["info"]["run_id"]
        point = {"run_id": run, "key": "loss", "value": 1, "timestamp": 1, "step": 1}
        assert house.http.post("/api/2.0/mlflow/runs/log-metric", json=point).status_code == 200
        answers: list[int] = []

        def log() -> None:
            answers.append(house.http.post("/api/2.0/mlflow/runs/log-metric", json={**point, "step": 2}).status_code)

        with psycopg.connect(url) as other:
            other.execute("update metric_latest set step = step")
            waiting = threading.Thread(target=log)
            waiting.start()
            with psycopg.connect(url, autocommit=True) as looking:
                while looking.execute(WAITS).fetchone() != (1,):
                    pass
            for step in range(3):
                made = house.http.post("/api/2.0/mlflow/runs/create", json={**RUN, "start_time": step})
                assert made.status_code == 200
            assert house.http.get("/health").status_code == 200
            assert answers == []
        waiting.join(timeout=30)
        found = house.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).json()["run"]["data"]["metrics"]
        history = house.http.get(
            "/api/2.0/mlflow/metrics/get-history", params={"run_id": run, "metric_key": "loss"}
        ).json()

        assert answers == [200]
        assert [each["step"] for each in found] == [2]
        assert [each["step"] for each in history["metrics"]] == [1, 2]
