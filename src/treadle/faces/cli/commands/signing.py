"""`treadle models sign` and what belongs to it: keys, bundles, and looking at a folder offline."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong

Model = Annotated[str, "the model"]
Version = Annotated[str, "a number, an alias, or newest"]
_PASSWORD = "TREADLE_KEY_PASSWORD"  # noqa: S105 -- the variable's name


def new_key(
    session: Session,
    file: Annotated[Path, "where the private key is written; the public one is put beside it, with .pub"],
    *,
    curve: Annotated[str, "p256 or p384"] = "p256",
) -> None:
    """Makes a key pair to sign versions with. The private key can be read by you alone; no server needs it.

    With a password in TREADLE_KEY_PASSWORD the private key is encrypted.
    """
    from treadle.systems.train.signing import keys

    chosen = next((known for known in keys.CURVES if known == curve), None)
    if chosen is None:
        raise UsageWrong(f"There is no curve {curve!r} here.", fix="--curve p256, or --curve p384")
    public = keys.create(file, chosen, password=os.environ.get(_PASSWORD))
    answer = {"private_key": str(file), "public_key": str(public)}
    session.out.show(answer, lambda paper: paper.sheet({"private key": file, "public key": public}))


def sign(
    session: Session,
    model: Model,
    version: Version = "newest",
    *,
    key: Annotated[Path, "the private key (PEM), as `treadle models new-key` makes it"],
    out: Annotated[Path | None, "also write the bundle into this file"] = None,
) -> None:
    """Signs a version: its files and all that is known of it. The key is used here and goes nowhere.

    The bundle has the form of OpenSSF model signing and is kept with the version as evidence.
    """
    from treadle.systems.train.signing import bundles, keys

    private = keys.private_key(key, password=os.environ.get(_PASSWORD))
    packed = session.client.packages.make(model=model, version=version)
    asked = session.client.signatures.statement(model=model, version=str(packed.number))
    bundle = bundles.signed(asked.statement.encode(), private)
    pem = keys.public_pem(private.public_key()).decode()
    made = session.client.signatures.add(model=asked.model, version=str(asked.version), bundle=bundle, public_key=pem)
    if out is not None:
        out.write_text(json.dumps(bundle, indent=2) + "\n", encoding="utf-8")
    session.out.show(
        made, lambda paper: paper.line(f"{asked.model} version {asked.version} is signed with {made.key}.")
    )


def signatures(session: Session, model: Model, version: Version = "newest") -> None:
    """The signatures over a version; with --json the bundles themselves."""
    found = session.client.signatures.list(model=model, version=version)

    def draw(paper: Paper) -> None:
        rows = [(one.recorded_at, one.actor, one.key) for one in found]
        paper.table(("signed", "by", "key"), rows, empty="Nobody has signed it yet.")

    session.out.show(found, draw)


def verify_signature(
    session: Session,
    folder: Annotated[Path, "the downloaded files of a version"],
    *,
    bundle: Annotated[Path, "the bundle, as `treadle models sign --out` writes it"],
    key: Annotated[Path, "the public key (PEM) of whoever you trust"],
) -> None:
    """Checks a folder against a signature, offline: the key, every file, and that there is no other.

    The answer says what was signed beside the files: run, code, data, environment, verdicts.
    """
    from treadle.systems.train.signing import bundles, folders, keys
    from treadle.systems.train.signing.errors import BundleUnreadable

    try:
        read = json.loads(bundle.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleUnreadable(f"{bundle} is no bundle.", why=str(error)) from error
    statement = bundles.verified(read, keys.public_key(key))
    count = folders.check(folder, statement, besides=bundle)
    answer = {"name": statement.name, "files": count, "about": dict(statement.about)}

    def draw(paper: Paper) -> None:
        about = statement.about
        paper.line(f"{folder} is {statement.name}, as it was signed: {count} files.")
        shown = ("run", "digest", "source", "registered_by", "registered_at")
        paper.sheet({name.replace("_", " "): about.get(name) for name in shown} | {"data": cell(about.get("data"))})

    session.out.show(answer, draw)


def bom(
    session: Session,
    model: Model,
    version: Version = "newest",
    *,
    out: Annotated[Path | None, "write the document into this file"] = None,
) -> None:
    """A version as a CycloneDX ML-BOM (1.6, JSON): the model, its files, its data and its environment."""
    document = session.client.versions.bom(model=model, version=version)
    text = json.dumps(document, indent=2)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    session.out.show(document, lambda paper: paper.line(text if out is None else f"written to {out}"))
