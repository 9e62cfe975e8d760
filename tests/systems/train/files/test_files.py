"""What is put at a path is read there, whole, old or new; the same bytes are stored once; what is sealed does not change."""

from __future__ import annotations

import threading

import pytest

from tests.systems.train.files.conftest import ADA, BOB, RUN, House
from treadle.ground.digests import of_bytes
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.train.files import BadFileName, FileInTheWay, FileNotFound, FileSealed
from treadle.systems.train.files.service import FileNamed, FolderNamed, HaveDigests, LinkFiles, NewLink


def test_what_was_put_is_read_with_its_digest_its_size_and_who_put_it(house: House) -> None:
    stored = house.files.put_bytes(ADA, f"{RUN}/model/MLmodel", b"flavors: {}")

    found = house.files.get(ADA, FileNamed(path=f"{RUN}/model/MLmodel"))

    assert house.read(f"{RUN}/model/MLmodel") == b"flavors: {}"
    assert found == stored
    assert (found.digest, found.size_bytes, found.actor) == (of_bytes(b"flavors: {}"), 11, "ada")


def test_a_put_replaces_what_was_there(house: House) -> None:
    house.put(f"{RUN}/a.txt", b"old")
    house.put(f"{RUN}/a.txt", b"new")

    assert house.read(f"{RUN}/a.txt") == b"new"
    assert house.names(RUN) == ["a.txt"]


def test_who_reads_while_a_file_is_replaced_gets_it_as_it_was_to_the_end(house: House) -> None:
    house.put(f"{RUN}/a.bin", b"o" * 100_000)

    with house.files.open(ADA, f"{RUN}/a.bin").stream as stream:
        begin = stream.read(10)
        house.put(f"{RUN}/a.bin", b"n" * 100_000)
        house.blobs.delete(of_bytes(b"o" * 100_000))
        rest = stream.read()

    assert begin + rest == b"o" * 100_000


def test_nobody_sees_a_file_before_it_is_committed_and_nothing_is_left_of_one_that_is_not(house: House) -> None:
    incoming = house.files.begin(ADA, f"{RUN}/a.bin")
    incoming.write(b"half")
    seen = house.names(RUN)
    incoming.abort()
    incoming.abort()

    assert seen == house.names(RUN) == []
    assert house.blobs_there() == set()
    assert list((house.home / "artifacts" / "tmp").iterdir()) == []


def test_the_same_bytes_are_stored_once_over_all_runs_and_projects(house: House) -> None:
    for n in range(3):
        house.put(f"{n}/run/artifacts/model.bin", b"weights" * 1000)
    house.put("0/run/artifacts/model.bin", b"weights" * 1000, BOB)

    assert house.blobs_there() == {of_bytes(b"weights" * 1000)}


def test_an_empty_file_is_a_file(house: House) -> None:
    house.put(f"{RUN}/empty", b"")

    assert house.read(f"{RUN}/empty") == b""
    assert house.entries(RUN)[0].size_bytes == 0


def test_a_listing_holds_files_with_sizes_and_folders_without_sorted_by_name(house: House) -> None:
    for path in ("b.txt", "a/deep/x", "a/y", "B.txt", "ä.txt", "a.txt"):
        house.put(f"{RUN}/{path}", path.encode())

    entries = house.entries(RUN)

    assert [entry.path for entry in entries] == ["B.txt", "a", "a.txt", "b.txt", "ä.txt"]
    assert [entry.is_dir for entry in entries] == [False, True, False, False, False]
    assert [entry.size_bytes for entry in entries] == [5, None, 5, 5, 6]
    assert house.names(f"{RUN}/a/") == ["deep/", "y"]
    assert house.names("0") == ["0123456789abcdef0123456789abcdef/"]
    assert house.names() == ["0/"]


def test_a_deep_listing_holds_every_file_below(house: House) -> None:
    for path in ("a/deep/x", "a/y", "b"):
        house.put(f"{RUN}/{path}", b"")
    house.put("1/other", b"")

    assert house.names(RUN, is_deep=True) == ["a/deep/x", "a/y", "b"]


def test_a_listing_of_a_file_or_of_nothing_is_empty(house: House) -> None:
    house.put(f"{RUN}/a.txt", b"a")

    assert house.names(f"{RUN}/a.txt") == []
    assert house.names(f"{RUN}/nothing") == []


def test_projects_do_not_see_each_other(house: House) -> None:
    house.put(f"{RUN}/a.txt", b"ada's")
    house.put(f"{RUN}/a.txt", b"bob's", BOB)

    assert house.read(f"{RUN}/a.txt") == b"ada's"
    assert house.read(f"{RUN}/a.txt", BOB) == b"bob's"
    assert house.delete(f"{RUN}", BOB) == 1
    assert house.names(RUN) == ["a.txt"]


def test_a_file_that_is_not_there_says_so_and_a_folder_says_that_it_is_one(house: House) -> None:
    house.put(f"{RUN}/model/MLmodel", b"m")

    with pytest.raises(FileNotFound):
        house.read(f"{RUN}/model/none")
    with pytest.raises(BadFileName, match="refers to a directory"):
        house.read(f"{RUN}/model")


def test_a_file_and_a_folder_never_have_the_same_path(house: House) -> None:
    house.put(f"{RUN}/a", b"a")
    house.put(f"{RUN}/b/c", b"c")

    with pytest.raises(FileInTheWay):
        house.put(f"{RUN}/a/below", b"x")
    with pytest.raises(FileInTheWay):
        house.put(f"{RUN}/b", b"x")


def test_a_delete_takes_a_file_or_a_whole_folder_and_leaves_an_event(house: House) -> None:
    for path in ("a/x", "a/deep/y", "ab/z", "b"):
        house.put(f"{RUN}/{path}", b"12")

    assert house.delete(f"{RUN}/b") == 1
    assert house.delete(f"{RUN}/a/") == 2
    assert house.delete(f"{RUN}/a") == 0

    assert house.names(RUN, is_deep=True) == ["ab/z"]
    events = reversed(house.events.newest("default"))
    assert [event.body for event in events] == [{"files": 1, "bytes": 2}, {"files": 2, "bytes": 4}]


def test_all_artifacts_of_a_project_are_not_deleted_at_once(house: House) -> None:
    house.put(f"{RUN}/a", b"a")

    for path in ("", "/"):
        with pytest.raises(BadFileName):
            house.delete(path)

    assert house.read(f"{RUN}/a") == b"a"


def test_what_is_sealed_takes_no_put_and_no_delete_in_it_below_it_or_above_it(house: House) -> None:
    model = f"{RUN}/model"
    house.put(f"{model}/MLmodel", b"m")
    house.put(f"{model}/data/w.bin", b"w")
    house.seal(model)

    for path in ("MLmodel", "new", "data/w.bin", "data/new", "new/folder/file"):
        with pytest.raises(FileSealed):
            house.put(f"{model}/{path}", b"other")
    for path in (f"{model}/MLmodel", f"{model}/data", model, RUN, "0"):
        with pytest.raises(FileSealed):
            house.delete(path)

    assert house.names(model, is_deep=True) == ["MLmodel", "data/w.bin"]
    assert house.put(f"{RUN}/beside", b"b")


def test_a_folder_that_is_sealed_empty_stays_empty(house: House) -> None:
    house.seal(f"{RUN}/model")

    with pytest.raises(FileSealed):
        house.put(f"{RUN}/model/MLmodel", b"m")


def test_a_purge_takes_what_is_sealed_and_its_path_is_free_again(house: House) -> None:
    house.put(f"{RUN}/model/MLmodel", b"m")
    house.seal(f"{RUN}/model")

    house.purge(RUN)

    assert house.names() == ["0/"]
    assert house.put(f"{RUN}/model/MLmodel", b"again")


def test_a_tree_s_digest_is_that_of_its_names_and_bytes_wherever_it_lies(house: House) -> None:
    for root in ("1/a/artifacts", "2/b/artifacts"):
        house.put(f"{root}/m/x", b"x")
        house.put(f"{root}/m/deep/y", b"yy")

    one, two = (house.files.tree(ADA, FolderNamed(path=f"{root}/artifacts/m")) for root in ("1/a", "2/b"))
    house.put("2/b/artifacts/m/x", b"X")
    changed = house.files.tree(ADA, FolderNamed(path="2/b/artifacts/m"))

    assert (one.files, one.size_bytes) == (2, 3)
    assert one.digest == two.digest != changed.digest


def test_bytes_that_a_project_has_are_linked_without_an_upload(house: House) -> None:
    known, foreign = house.put(f"{RUN}/a", b"known"), house.put(f"{RUN}/b", b"foreign", BOB)
    never = of_bytes(b"never")

    had = house.files.have(ADA, HaveDigests(digests=[known, foreign, never, known]))
    linked = house.files.link(
        ADA,
        LinkFiles(files=[NewLink(path=f"1/x/{n}", digest=digest) for n, digest in enumerate((known, foreign, never))]),
    )

    assert had == [known]
    assert [file.path for file in linked.files] == ["1/x/0"]
    assert list(linked.missing) == ["1/x/1", "1/x/2"]
    assert house.read("1/x/0") == b"known"


def test_reading_and_writing_take_their_permissions(house: House) -> None:
    reader = Caller(project="default", actor="eve", permissions=frozenset({"file.read"}))
    nobody = Caller(project="default", actor="eve", permissions=frozenset())
    house.put(f"{RUN}/a", b"a")

    assert house.read(f"{RUN}/a", reader) == b"a"
    for forbidden in (
        lambda: house.put(f"{RUN}/b", b"b", reader),
        lambda: house.delete(f"{RUN}/a", reader),
        lambda: house.read(f"{RUN}/a", nobody),
        lambda: house.names(RUN, caller=nobody),
    ):
        with pytest.raises(PermissionDenied):
            forbidden()


def test_who_puts_one_path_at_once_leaves_one_of_their_files_whole(house: House) -> None:
    bodies = [bytes([n]) * 50_000 for n in range(8)]
    threads = [threading.Thread(target=house.put, args=(f"{RUN}/same/path", body)) for body in bodies]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert house.read(f"{RUN}/same/path") in bodies


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "..\\b",
        "C:/x",
        "c:x",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a#b",
        "%2e%2e/x",
        "a/%2e%2e/b",
        "%2fetc/passwd",
        "a%00b",
        "%252e%252e/x",
        "%25252e%25252e%25252fx",
        "a%5cb",
        "\ud800",
        "a\u202eb",
        "x" * 256,
        "/".join(["x" * 200] * 30),
        "file:///etc/passwd",
    ],
)
def test_a_path_that_could_be_taken_for_a_location_is_refused_everywhere(house: House, path: str) -> None:
    attempts = [
        lambda: house.files.begin(ADA, path),
        lambda: house.read(path),
        lambda: house.uploads.create(ADA, path, 1),
        lambda: house.files.link(ADA, LinkFiles(files=[NewLink(path=path, digest=of_bytes(b""))])),
    ]
    if path.strip("/") and not path.endswith("a/"):
        attempts += [lambda: house.names(path), lambda: house.delete(path)]

    for attempt in attempts:
        with pytest.raises(BadFileName):
            attempt()


@pytest.mark.parametrize(
    "path", ["a", "a b/c+d", "100%.txt", "ünïcode/模型.bin", ".hidden", "a..b", "...", "a:b", "x;y"]
)
def test_plain_names_are_taken_as_they_are(house: House, path: str) -> None:
    house.put(f"{RUN}/{path}", path.encode())

    assert house.names(RUN, is_deep=True) == [path]
    assert house.read(f"{RUN}/{path}") == path.encode()
