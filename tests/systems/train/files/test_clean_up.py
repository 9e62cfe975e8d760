"""Bytes stay as long as a row names them, and no longer: puts, deletes, purges, links and clean-ups in any order, and killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.train.files.conftest import ADA, RUN, House, age
from treadle.ground.digests import of_bytes
from treadle.systems.infra.service import CleanUpStorage, ExamineStorage
from treadle.systems.train.files import FileNotFound
from treadle.systems.train.files.service import LinkFiles, NewLink
from treadle.testing import embedded_store

CONTENTS = [b"", b"one", b"two" * 3000, b"three" * 3000]
PATHS = [f"{run}/{name}" for run in ("0/a", "0/b", "1/c") for name in ("x", "d/y", "d/e/z")]
FOLDERS = ["0", "0/a", "0/a/d", "0/b", "1/c/d"]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(PATHS), st.integers(0, len(CONTENTS) - 1)),
        st.tuples(st.just("link"), st.sampled_from(PATHS), st.integers(0, len(CONTENTS) - 1)),
        st.tuples(st.just("delete"), st.sampled_from([*PATHS, *FOLDERS]), st.just(0)),
        st.tuples(st.just("purge"), st.sampled_from(FOLDERS), st.just(0)),
        st.tuples(st.just("clean"), st.just(""), st.integers(0, 30)),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("home")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=steps)
def test_no_order_of_acts_takes_bytes_that_a_file_names_or_leaves_any_that_none_does(
    homes: Callable[[], Path], script: list[tuple[str, str, int]]
) -> None:
    home = homes()
    store = embedded_store(home)
    house = House(store, home)
    expected: dict[str, bytes] = {}

    for act, path, number in script:
        _perform(house, expected, act, path, number)
        assert {one: house.read(one) for one in house.names(is_deep=True)} == expected
    house.wait(hours=25)
    house.clean()

    assert house.blobs_there() == {of_bytes(content) for content in expected.values()}
    for root in ("0", "1"):
        house.purge(root)
    house.clean()
    assert house.blobs_there() == set()
    store.close()


def _perform(house: House, expected: dict[str, bytes], act: str, path: str, number: int) -> None:
    content = CONTENTS[number % len(CONTENTS)]
    if act == "put":
        house.put(path, content)
        expected[path] = content
    elif act == "link":
        linked = house.files.link(ADA, LinkFiles(files=[NewLink(path=path, digest=of_bytes(content))]))
        assert bool(linked.files) == (content in expected.values())
        if linked.files:
            expected[path] = content
    elif act == "clean":
        house.wait(hours=number)
        house.clean()
    else:
        (house.delete if act == "delete" else house.purge)(path)
        for gone in [one for one in expected if one == path or one.startswith(f"{path}/")]:
            del expected[gone]


def test_bytes_that_another_file_has_stay_and_the_others_go_after_the_grace(house: House) -> None:
    shared, lonely = house.put("0/a/shared", b"shared"), house.put("0/a/lonely", b"lonely")
    house.put("0/b/shared", b"shared")
    house.purge("0/a")

    at_once = house.clean()
    house.wait(hours=25)
    house.clean()

    assert at_once.orphans == 0
    assert house.blobs_there() == {shared}
    assert lonely not in house.blobs_there()
    assert house.read("0/b/shared") == b"shared"


def test_a_dry_run_says_how_many_bytes_would_go_and_takes_none(house: House) -> None:
    house.put("0/a/x", b"x" * 1000)
    house.delete("0/a/x")
    house.wait(hours=25)

    dry, wet = house.clean(is_dry_run=True), house.clean()

    assert (dry.orphans, dry.orphan_bytes) == (wet.orphans, wet.orphan_bytes) == (1, 1000)


def test_a_file_of_another_project_keeps_bytes_as_well(house: House) -> None:
    from tests.systems.train.files.conftest import BOB

    digest = house.put("0/a/x", b"both")
    house.put("0/a/x", b"both", BOB)
    house.purge("0/a")
    house.wait(hours=25)

    house.clean()

    assert house.blobs_there() == {digest}


def test_bytes_put_again_while_clean_up_looks_stay(house: House) -> None:
    """The orphan is found, then put again under a new path, then swept: its renewed age or its row keeps it."""
    digest = house.put("0/a/x", b"again" * 1000)
    house.delete("0/a/x")
    age(house.home / "artifacts", hours=30)
    list_blobs = house.blobs.list

    def listed_then_put() -> Any:
        yield from list(list_blobs())
        house.put("0/b/y", b"again" * 1000)

    house.blobs.list = listed_then_put  # type: ignore[method-assign]
    house.clean()

    assert house.read("0/b/y") == b"again" * 1000
    assert digest in house.blobs_there()


def test_uploads_that_nobody_completes_are_forgotten_with_their_parts(house: House) -> None:
    _, tickets = house.uploads.create(ADA, f"{RUN}/big", 2)
    with house.uploads.begin_part(tickets[0]) as part:
        part.write(b"part")
        part.commit()
    age(house.home / "uploads", hours=30)
    house.wait(hours=30)

    house.clean()

    assert list((house.home / "uploads").iterdir()) == []


def test_doctor_names_the_file_whose_bytes_are_gone_or_changed(house: House) -> None:
    gone, changed = house.put(f"{RUN}/gone", b"gone"), house.put(f"{RUN}/changed", b"changed")
    house.blobs.delete(gone)
    place = house.blobs.path(changed)
    place.chmod(0o644)
    place.write_bytes(b"CHANGED")

    quick, deep = (
        {check.name: check for check in house.storage.examine(ADA, ExamineStorage(deep=deep)).checks}["logged files"]
        for deep in (False, True)
    )

    assert (quick.verdict, deep.verdict) == ("failed", "failed")
    assert f"{RUN}/gone" in quick.found
    assert "2 files" in deep.found


# Killed at each seam


SEAMS: dict[str, tuple[Callable[[House], object], str, str]] = {
    "before the bytes are in place": (lambda house: house.put(f"{RUN}/new", b"n" * 9000), "blobs", "adopt"),
    "before the row is written": (lambda house: house.put(f"{RUN}/new", b"n" * 9000), "store", "write"),
    "before a file is replaced": (lambda house: house.put(f"{RUN}/kept", b"n" * 9000), "store", "write"),
    "before rows are deleted": (lambda house: house.delete(RUN), "store", "write"),
    "before what is condemned is written": (lambda house: house.clean(), "store", "write"),
    "before an orphan is removed": (lambda house: house.clean(), "blobs", "expire"),
    "after an orphan was set aside": (lambda house: house.clean(), "blobs", "_settle"),
    "before leftovers are swept": (lambda house: house.clean(), "uploads", "sweep"),
}


@pytest.mark.parametrize("seam", SEAMS)
def test_a_kill_at_any_seam_harms_no_file_and_the_next_clean_up_takes_what_is_left(tmp_path: Path, seam: str) -> None:
    store = embedded_store(tmp_path)
    house = House(store, tmp_path)
    kept, orphan = house.put(f"{RUN}/kept", b"kept" * 3000), house.put(f"{RUN}/orphan", b"orphan" * 3000)
    house.delete(f"{RUN}/orphan")
    age(tmp_path / "artifacts", hours=30)
    store.close()

    assert _die_at(tmp_path, *SEAMS[seam]) == -signal.SIGKILL

    store = embedded_store(tmp_path)
    house = House(store, tmp_path)
    assert house.read(f"{RUN}/kept") == b"kept" * 3000
    assert kept in house.blobs_there()
    with pytest.raises(FileNotFound):
        house.read(f"{RUN}/new")
    age(tmp_path / "artifacts", hours=30)
    house.storage.clean(ADA, CleanUpStorage(is_dry_run=False))
    assert house.blobs_there() == {kept}
    assert orphan not in house.blobs_there()
    assert list((tmp_path / "artifacts" / "tmp").iterdir()) == []
    store.close()


def _die_at(home: Path, act: Callable[[House], object], part: str, method: str) -> int:
    """The exit code of a process that opens the house and is killed when it calls the method."""
    pid = os.fork()
    if pid == 0:
        try:
            house = House(embedded_store(home), home)
            setattr(getattr(house, part), method, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            act(house)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
