"""The bytes of small files are rows of the store, and nobody who reads or cleans up can tell."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.systems.train.files.conftest import ADA, BOB, RUN, House
from treadle.ground import digests
from treadle.kernel.store import Store
from treadle.kernel.store.sql import parse
from treadle.systems.infra.service import ExamineStorage
from treadle.systems.train.files.contents import SMALL_BYTES
from treadle.systems.train.files.errors import FileNotFound
from treadle.systems.train.files.service import HaveDigests, LinkFiles, NewLink

LARGE = b"l" * (SMALL_BYTES + 1)


@pytest.fixture
def house(any_store: Store, tmp_path: Path) -> House:
    return House(any_store, tmp_path, small_bytes=SMALL_BYTES)


def rows(house: House) -> set[str]:
    with house.store.read() as reader:
        return {row[0] for row in reader.all(parse("-- name: all\nselect digest from small_file;\n")["all"])}


@pytest.mark.parametrize("size", [0, 1, SMALL_BYTES, SMALL_BYTES + 1, 3 * SMALL_BYTES])
def test_a_file_of_any_size_reads_as_it_was_written(house: House, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]

    assert house.put(f"{RUN}/f", data) == digests.of_bytes(data)

    assert house.read(f"{RUN}/f") == data
    assert bool(house.blobs_there()) == (size > SMALL_BYTES)
    assert bool(rows(house)) == (size <= SMALL_BYTES)


def test_pieces_that_grow_beyond_small_become_one_blob(house: House) -> None:
    pieces = [b"a" * 10, b"b" * SMALL_BYTES, b"c" * 7]

    with house.files.begin(ADA, f"{RUN}/f") as incoming:
        for piece in pieces:
            incoming.write(piece)
        incoming.commit()

    assert house.read(f"{RUN}/f") == b"".join(pieces)
    assert rows(house) == set()


def test_equal_small_files_are_one_row_over_all_projects(house: House) -> None:
    first = house.put(f"{RUN}/f", b"equal")
    second = house.put(f"{RUN}/g", b"equal")
    house.put(f"{RUN}/f", b"equal", caller=BOB)

    assert rows(house) == {first} == {second}


def test_a_small_file_is_linked_by_its_digest_where_the_project_has_it(house: House) -> None:
    digest = house.put(f"{RUN}/f", b"known")
    link = LinkFiles(files=[NewLink(path=f"{RUN}/g", digest=digest)])

    assert house.files.have(ADA, HaveDigests(digests=[digest])) == [digest]
    assert house.files.link(BOB, link).missing == [f"{RUN}/g"]
    assert house.files.link(ADA, link).missing == []
    assert house.read(f"{RUN}/g") == b"known"


def test_clean_up_takes_the_bytes_that_no_file_names_after_a_grace(house: House) -> None:
    kept, gone = house.put(f"{RUN}/kept", b"kept"), house.put(f"{RUN}/gone", b"gone")
    house.delete(f"{RUN}/gone")

    house.clean()
    assert rows(house) == {kept, gone}
    house.wait(hours=25)
    house.clean(is_dry_run=True)
    assert rows(house) == {kept, gone}
    house.clean()

    assert rows(house) == {kept}
    assert house.read(f"{RUN}/kept") == b"kept"


def test_a_put_of_bytes_that_are_due_keeps_them(house: House) -> None:
    house.put(f"{RUN}/gone", b"again")
    house.delete(f"{RUN}/gone")
    house.wait(hours=25)

    house.put(f"{RUN}/back", b"again")
    house.delete(f"{RUN}/back")
    house.clean()

    assert rows(house) == {digests.of_bytes(b"again")}


def test_puts_and_clean_ups_race_and_no_file_loses_its_bytes(house: House) -> None:
    names = [f"{RUN}/{n}" for n in range(12)]
    for name in names:
        house.put(name, name.encode())
        house.delete(name)
    house.wait(hours=25)
    gate = threading.Barrier(3)

    def put(part: int) -> None:
        gate.wait()
        for name in names[part::2]:
            house.put(name, name.encode())

    def clean() -> None:
        gate.wait()
        for _ in range(3):
            house.clean()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(put, 0), pool.submit(put, 1), pool.submit(clean)]:
            done.result()

    assert [house.read(name) for name in names] == [name.encode() for name in names]


def test_an_examination_looks_for_blobs_where_they_are(house: House) -> None:
    house.put(f"{RUN}/small", b"small")
    house.put(f"{RUN}/large", LARGE)

    checks = {check.name: check for check in house.storage.examine(ADA, ExamineStorage(deep=True)).checks}

    assert checks["logged files"].verdict == "ok"


def test_a_deep_examination_names_small_bytes_that_were_changed(house: House) -> None:
    digest = house.put(f"{RUN}/small", b"small")
    change = parse("-- name: change\nupdate small_file set data = :data;\n")["change"]
    house.store.write(lambda tx: tx.execute(change, {"data": b"other"}))

    checks = {check.name: check for check in house.storage.examine(ADA, ExamineStorage(deep=True)).checks}

    assert checks["logged files"].verdict == "failed"
    assert digest in checks["logged files"].found


def test_a_file_of_another_project_is_not_found_by_its_digest_or_path(house: House) -> None:
    house.put(f"{RUN}/f", b"mine")

    with pytest.raises(FileNotFound):
        house.read(f"{RUN}/f", caller=BOB)
