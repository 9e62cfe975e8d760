"""The commands of the registry: names, papers, signatures and webhooks from the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.systems.train.registry.house import House
from tests.systems.train.webhooks.receiver import receiver
from treadle.assembly import Workspace
from treadle.faces.cli import entry
from treadle.ground.settings import load
from treadle.systems.train.registry.requests import PromoteModel

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two versions of one model."""
    folder = tmp_path / "home"
    with Workspace(load({"home": folder}, environ={}, folder=tmp_path), actor="ada") as workspace:
        house = House(workspace)
        house.model()
        run = house.trained()
        house.register(run)
        house.register(run)
        workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=1, reason="first"))
    return folder


@pytest.fixture
def treadle(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, Any]:
        code = entry.main([*words, "--home", str(home), "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out or captured.err)

    return call


def test_the_history_says_what_stood_at_the_end_of_a_day(treadle: Call) -> None:
    _, before = treadle("models", "history", "late", "--on", "2020-01-01")
    _, now = treadle("models", "history", "late")

    assert (before["aliases"], before["moves"]) == ({}, [])
    assert (now["aliases"], now["moves"][0]["reason"]) == ({"champion": 1}, "first")


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "2026-11-21T10:00"])
def test_what_is_no_day_is_refused(treadle: Call, day: str) -> None:
    assert treadle("models", "history", "late", "--on", day)[0] == 2


def test_a_model_is_renamed_and_a_version_deleted(treadle: Call) -> None:
    assert treadle("models", "rename", "late", "delay")[0] == 0
    assert treadle("models", "delete", "delay", "2", "--yes")[0] == 0

    _, versions = treadle("models", "versions", "delay")
    assert [one["number"] for one in versions] == [1]
    assert treadle("models", "delete", "delay", "--yes")[0] == 0
    assert treadle("models", "list") == (0, [])


def test_a_version_is_signed_and_its_bundle_kept(treadle: Call, tmp_path: Path) -> None:
    key, out = tmp_path / "k.pem", tmp_path / "late.sig"
    assert treadle("models", "new-key", str(key), "--curve", "p384")[0] == 0

    code, made = treadle("models", "sign", "late", "1", "--key", str(key), "--out", str(out))

    assert code == 0
    assert treadle("models", "signatures", "late", "1")[1][0]["key"] == made["key"]
    assert json.loads(out.read_text()) == made["bundle"]
    assert treadle("models", "signatures", "late", "2") == (0, [])
    (tmp_path / "down").mkdir()
    words = ["models", "verify-signature", str(tmp_path / "down"), "--bundle", str(out), "--key", f"{key}.pub"]
    code, refusal = treadle(*words)
    assert code != 0
    assert "MLmodel is missing" in refusal["why"]


def test_a_bom_is_written_into_a_file(treadle: Call, tmp_path: Path) -> None:
    out = tmp_path / "late.json"

    treadle("models", "bom", "late", "2", "--out", str(out))

    assert json.loads(out.read_text())["metadata"]["component"]["version"] == "2"


def test_webhooks_are_made_tried_and_taken_away(treadle: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_ALLOW_PRIVATE_WEBHOOKS", "true")
    monkeypatch.setenv("TREADLE_ALLOW_HTTP_WEBHOOKS", "true")
    monkeypatch.setenv("TREADLE_WEBHOOK_SECRET", "hush")
    with receiver() as hook:
        _, made = treadle("webhooks", "create", "ci", hook.url, "model_version.created", "prompt.created")
        assert treadle("webhooks", "test", made["id"])[0] == 0
        hook.answers = [500]
        assert treadle("webhooks", "test", made["id"])[0] == 1

    assert "x-mlflow-signature" in hook.received[0][0]
    assert treadle("webhooks", "list")[1][0]["has_secret"] is True
    assert treadle("webhooks", "delete", made["id"], "--yes")[0] == 0
    assert treadle("webhooks", "list") == (0, [])
