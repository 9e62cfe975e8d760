"""Signatures: over the files and all that is known of a version, checked offline, in the form of OpenSSF model signing."""

from __future__ import annotations

import copy
import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.peers.servers import PEERS
from tests.systems.train.registry.house import House
from treadle.systems.train.registry.requests import VersionNamed
from treadle.systems.train.signing import bundles, folders, keys
from treadle.systems.train.signing.errors import BundleUnreadable, FilesDiffer, KeyOpen, KeyUnusable, SignatureWrong
from treadle.systems.train.signing.service import SIGNATURE, AddSignature

LATE = VersionNamed(model="late")
MODEL_SIGNING = PEERS / "model_signing"


@pytest.fixture(params=keys.CURVES)
def key(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A private key, with the public one beside it."""
    path = tmp_path / "keys" / "ada.pem"
    keys.create(path, request.param)
    return path


def sign(house: House, key: Path) -> dict[str, Any]:
    asked = house.workspace.registry.signatures.statement(house.ada, LATE)
    bundle = bundles.signed(asked.statement.encode(), keys.private_key(key))
    pem = Path(f"{key}.pub").read_text()
    request = AddSignature(model="late", version=str(asked.version), bundle=bundle, public_key=pem)
    house.workspace.registry.signatures.add(house.ada, request)
    return bundle


def download(house: House, folder: Path) -> Path:
    version = house.workspace.registry.versions.get(house.ada, LATE).version
    place = (version.location or "").removeprefix("mlflow-artifacts:/")
    for file in house.workspace.registry.versions.files(house.ada, LATE):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(house.workspace.tracking.files.read(house.ada, f"{place}/{file.path}"))
    return folder


@pytest.fixture
def signed(house: House, key: Path, tmp_path: Path) -> tuple[Path, dict[str, Any], Path]:
    """A downloaded version, the bundle over it, and the public key."""
    house.model()
    house.register(house.trained())
    return download(house, tmp_path / "down"), sign(house, key), Path(f"{key}.pub")


def check(signed: tuple[Path, dict[str, Any], Path]) -> int:
    folder, bundle, public = signed
    return folders.check(folder, bundles.verified(bundle, keys.public_key(public)))


def test_a_downloaded_folder_is_checked_without_any_server(signed: tuple[Path, dict[str, Any], Path]) -> None:
    assert check(signed) == 3


def test_the_signature_covers_what_is_known_of_the_version(
    house: House, signed: tuple[Path, dict[str, Any], Path]
) -> None:
    _, bundle, public = signed

    about = bundles.verified(bundle, keys.public_key(public)).about

    version = house.workspace.registry.versions.get(house.ada, LATE).version
    assert (about["subject"], about["digest"], about["run"]) == (version.subject, version.digest, version.run)
    assert about["environment"]["packages"] == ["mlflow==3.17.2", "scikit-learn==1.7.2", "numpy==2.3.4"]
    assert about["signature"]["inputs"][0]["name"] == "x"


@pytest.mark.parametrize("change", ["other bytes", "missing", "one more", "link"])
def test_a_folder_that_is_not_what_was_signed_is_refused(
    signed: tuple[Path, dict[str, Any], Path], change: str
) -> None:
    folder = signed[0]
    target = folder / "model.skops"
    if change == "other bytes":
        target.write_bytes(b"forged")
    elif change == "missing":
        target.unlink()
    elif change == "one more":
        (folder / "evil.py").write_text("import os")
    else:
        target.unlink()
        target.symlink_to("/etc/hostname")

    with pytest.raises(FilesDiffer):
        check(signed)


def test_what_a_client_notes_beside_the_files_is_no_part_of_them(signed: tuple[Path, dict[str, Any], Path]) -> None:
    """MLflow's client writes `registered_model_meta` into what it downloads."""
    (signed[0] / "registered_model_meta").write_text("model_name: late")

    assert check(signed) == 3


def test_a_statement_that_was_changed_does_not_pass(signed: tuple[Path, dict[str, Any], Path]) -> None:
    folder, bundle, public = signed
    forged = copy.deepcopy(bundle)
    statement = json.loads(bundles.payload_of(bundle))
    statement["predicate"]["treadle"]["run"] = "run_other"
    envelope = bundles.signed(json.dumps(statement).encode(), keys.private_key(public.with_suffix("")))
    forged["dsseEnvelope"]["payload"] = envelope["dsseEnvelope"]["payload"]

    with pytest.raises(SignatureWrong):
        check((folder, forged, public))


def test_another_key_does_not_pass(signed: tuple[Path, dict[str, Any], Path], tmp_path: Path) -> None:
    folder, bundle, _ = signed
    other = keys.create(tmp_path / "other.pem")

    with pytest.raises(SignatureWrong):
        check((folder, bundle, other))
    del bundle["verificationMaterial"]["publicKey"]["hint"]
    with pytest.raises(SignatureWrong):
        check((folder, bundle, other))


@pytest.mark.parametrize("bundle", [{}, {"mediaType": bundles.MEDIA_TYPE}, {"mediaType": "text/plain"}])
def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path, bundle: dict[str, Any]) -> None:
    public = keys.create(tmp_path / "k.pem")

    with pytest.raises(BundleUnreadable):
        bundles.verified(bundle, keys.public_key(public))


def test_a_signature_is_kept_as_evidence_about_the_version(
    house: House, signed: tuple[Path, dict[str, Any], Path]
) -> None:
    kept = house.workspace.registry.signatures.list(house.ada, LATE)
    sheet = house.workspace.registry.models.get(house.ada, LATE)

    assert [one.bundle for one in kept] == [signed[1]]
    assert [(one.kind, one.verdict) for one in sheet.evidence] == [(SIGNATURE, "passed")]


def test_a_bundle_about_another_version_is_not_taken(house: House, key: Path) -> None:
    house.model()
    run = house.trained()
    house.register(run)
    bundle = sign(house, key)
    house.put(run.artifact_uri, "model/model.skops", b"retrained")
    house.register(run)
    pem = Path(f"{key}.pub").read_text()

    request = AddSignature(model="late", version="2", bundle=bundle, public_key=pem)

    with pytest.raises(FilesDiffer):
        house.workspace.registry.signatures.add(house.ada, request)


def test_a_private_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    keys.create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyUnusable):
        keys.create(path)
    path.chmod(0o640)
    with pytest.raises(KeyOpen):
        keys.private_key(path)


def test_a_password_is_asked_of_whoever_signs(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    keys.create(path, password="hush")

    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(KeyUnusable):
        keys.private_key(path)
    with pytest.raises(KeyUnusable):
        keys.private_key(path, password="wrong")
    assert keys.private_key(path, password="hush").curve.name == "secp256r1"


def test_a_bundle_of_the_model_signing_tool_is_read(tmp_path: Path) -> None:
    """Made with model-signing 1.1.1; the fixture is its output, and the folder what it signed."""
    stored = Path(__file__).parent / "model_signing_1_1_1"
    shutil.copytree(stored / "model", tmp_path / "model")
    bundle = json.loads((stored / "model.sig").read_text())

    statement = bundles.verified(bundle, keys.public_key(stored / "key.pub"))

    assert folders.check(tmp_path / "model", statement) == 2


@pytest.mark.skipif(not MODEL_SIGNING.exists(), reason="the model-signing tool is not installed: make .peers/.ready")
def test_the_model_signing_tool_takes_our_bundle(signed: tuple[Path, dict[str, Any], Path], tmp_path: Path) -> None:
    folder, bundle, public = signed
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    given = ["--signature", str(tmp_path / "bundle.json"), "--public_key", str(public)]

    done = subprocess.run([str(MODEL_SIGNING), "verify", "key", str(folder), *given], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
