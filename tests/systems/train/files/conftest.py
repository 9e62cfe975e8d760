"""A house of files: store, bytes, uploads and clean-up over one clock that the test moves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from treadle.ground.ids import new_id
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.infra import CleanUp, Storage
from treadle.systems.infra.service import CleanUpStorage
from treadle.systems.train.files import FileEntry, Files
from treadle.systems.train.files.contents import Contents
from treadle.systems.train.files.repository import FileBlobs
from treadle.systems.train.files.service import FileNamed, FolderNamed
from treadle.systems.train.files.uploads import Uploads

ADA = Caller(project="default", actor="ada")
BOB = Caller(project="other", actor="bob")
RUN = "0/0123456789abcdef0123456789abcdef/artifacts"


class House:
    """See the module."""

    def __init__(self, store: Store, home: Path, small_bytes: int = 0) -> None:
        self.store, self.home = store, home
        self.passed = timedelta()
        self.blobs = LocalBlobs(home / "artifacts")
        self.events = EventLog(store, self.clock, new_id)
        self.contents = Contents(store, self.blobs, small_bytes=small_bytes)
        self.files = Files(store, self.contents, self.events, self.clock)
        self.uploads = Uploads(store, self.files, home / "uploads", self.clock, new_id)
        self.storage = Storage(
            store,
            Artifacts(self.blobs, workspace=home / "workspace"),
            self.events,
            self.clock,
            home=home,
            users=[FileBlobs()],
            leftovers=[self.uploads, self.contents],
        )

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def wait(self, **time: float) -> None:
        """Lets time pass; what lies on the disk grows older, since its age is the system's to say."""
        self.passed += timedelta(**time)

    def put(self, path: str, data: bytes, caller: Caller = ADA) -> str:
        return self.files.put_bytes(caller, path, data).digest

    def read(self, path: str, caller: Caller = ADA) -> bytes:
        return self.files.read(caller, path)

    def names(self, folder: str = "", *, is_deep: bool = False, caller: Caller = ADA) -> list[str]:
        return [entry.path + "/" * entry.is_dir for entry in self.entries(folder, is_deep=is_deep, caller=caller)]

    def entries(self, folder: str = "", *, is_deep: bool = False, caller: Caller = ADA) -> list[FileEntry]:
        return self.files.list(caller, FolderNamed(path=folder, is_deep=is_deep))

    def delete(self, path: str, caller: Caller = ADA) -> int:
        return self.files.delete(caller, FileNamed(path=path)).files

    def seal(self, folder: str) -> None:
        self.store.write(lambda tx: self.files.seal(tx, "default", folder))

    def purge(self, folder: str) -> None:
        self.store.write(lambda tx: self.files.purge(tx, "default", folder))

    def clean(self, *, is_dry_run: bool = False) -> CleanUp:
        return self.storage.clean(ADA, CleanUpStorage(is_dry_run=is_dry_run))

    def blobs_there(self) -> set[str]:
        return {blob.digest for blob in self.blobs.list()}


@pytest.fixture
def house(any_store: Store, tmp_path: Path) -> House:
    return House(any_store, tmp_path)


def age(folder: Path, **time: float) -> None:
    """Makes every file below a folder older."""
    for place in [folder, *folder.rglob("*")]:
        at = place.stat().st_mtime - timedelta(**time).total_seconds()
        os.utime(place, (at, at))
