"""Artifacts over a running server, as clients and pages ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faces.mlflow.artifact_house import FILES, FOREIGN_RUN, MODEL, PROXY, ROOT, RUN, House, served
from treadle.ground.digests import of_bytes


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with served(tmp_path_factory.mktemp("home") / "home") as found:
        yield found


def test_a_file_goes_up_and_comes_down(house: House) -> None:
    up = house.put(f"{ROOT}/up/data.bin", b"\x00\x01" * 5000)
    down = house.get(f"{ROOT}/up/data.bin")

    assert (up.status_code, up.json()) == (200, {})
    assert up.headers["etag"] == down.headers["etag"] == f'"{of_bytes(down.content)}"'
    assert down.content == b"\x00\x01" * 5000
    assert down.headers["content-type"] == "application/octet-stream"
    assert down.headers["content-disposition"] == 'attachment; filename="data.bin"'
    assert down.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "media"),
    [("MLmodel", "text/plain"), ("conda.yaml", "text/plain"), ("page.html", "text/html"), ("plot.png", "image/png")],
)
def test_the_media_type_is_that_of_the_name(house: House, name: str, media: str) -> None:
    house.put(f"{ROOT}/media/{name}", b"x")

    assert house.get(f"{ROOT}/media/{name}").headers["content-type"] == media


def test_both_prefixes_lead_to_the_same_artifacts(house: House) -> None:
    house.http.put(f"/ajax-api/2.0/mlflow-artifacts/artifacts/{ROOT}/prefix.txt", content=b"x")

    assert house.get(f"{ROOT}/prefix.txt").content == b"x"


def test_a_body_that_comes_in_chunks_of_unknown_length_is_stored_whole(house: House) -> None:
    pieces = [bytes([n]) * 100_000 for n in range(30)]

    house.http.put(f"{FILES}/{ROOT}/chunked", content=iter(pieces))

    assert house.get(f"{ROOT}/chunked").content == b"".join(pieces)


def test_names_with_blanks_signs_and_other_scripts_are_kept(house: House) -> None:
    for name in ("a b+c.txt", "100%.txt", "x;y=z.txt", "模型.bin"):
        put = house.http.put(httpx.URL(house.url).copy_with(path=f"{FILES}/{ROOT}/names/{name}"), content=name.encode())
        assert put.status_code == 200

    assert {str(one["path"]) for one in house.list(f"{ROOT}/names")} == {
        "a b+c.txt",
        "100%.txt",
        "x;y=z.txt",
        "模型.bin",
    }
    assert house.get(f"{ROOT}/names/100%25.txt").content == b"100%.txt"


def test_a_listing_says_names_below_the_folder_sizes_and_which_are_folders(house: House) -> None:
    for path in ("b.txt", "a/x", "a/deep/y"):
        house.put(f"{ROOT}/listed/{path}", b"123")

    assert house.list(f"{ROOT}/listed") == [
        {"path": "a", "is_dir": True},
        {"path": "b.txt", "is_dir": False, "file_size": 3},
    ]
    assert house.http.get(FILES, params={"path": f"{ROOT}/nothing"}).json() == {}


def test_a_delete_takes_a_file_or_a_folder(house: House) -> None:
    for path in ("f", "d/x", "d/y"):
        house.put(f"{ROOT}/deleted/{path}", b"1")

    assert house.http.delete(f"{FILES}/{ROOT}/deleted/f").json() == {}
    assert house.http.delete(f"{FILES}/{ROOT}/deleted/d/").status_code == 200
    assert house.http.delete(f"{FILES}/{ROOT}/deleted/never").status_code == 200

    assert house.list(f"{ROOT}/deleted") == []


def test_what_is_not_there_is_a_404_in_the_protocol_s_form(house: House) -> None:
    answer = house.get(f"{ROOT}/none.txt")

    assert answer.status_code == 404
    assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_folder_is_no_download(house: House) -> None:
    house.put(f"{ROOT}/folder/x", b"1")

    answer = house.get(f"{ROOT}/folder")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "refers to a directory" in answer.json()["message"]


def test_ranges_are_served_so_that_a_download_goes_on_where_it_stopped(house: House) -> None:
    house.put(f"{ROOT}/ranged", bytes(range(100)))

    middle = house.get(f"{ROOT}/ranged", Range="bytes=10-19")
    rest = house.get(f"{ROOT}/ranged", Range="bytes=90-")
    beyond = house.get(f"{ROOT}/ranged", Range="bytes=100-")

    assert (middle.status_code, middle.content) == (206, bytes(range(10, 20)))
    assert middle.headers["content-range"] == "bytes 10-19/100"
    assert rest.content == bytes(range(90, 100))
    assert beyond.status_code == 416


def test_who_has_the_bytes_already_is_told_so(house: House) -> None:
    tag = house.put(f"{ROOT}/cached", b"same").headers["etag"]

    again = house.get(f"{ROOT}/cached", **{"If-None-Match": tag})
    other = house.get(f"{ROOT}/cached", **{"If-None-Match": '"sha256:other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert other.content == b"same"


def test_a_head_says_the_size_and_the_digest_without_the_bytes(house: House) -> None:
    house.put(f"{ROOT}/head", b"12345")

    head = house.http.head(f"{FILES}/{ROOT}/head")

    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5")
    assert head.headers["etag"] == f'"{of_bytes(b"12345")}"'


def test_the_list_of_a_run_has_paths_below_its_root_and_the_root(house: House) -> None:
    house.put(f"{ROOT}/runlist/m/MLmodel", b"12")

    answer = house.http.get("/api/2.0/mlflow/artifacts/list", params={"run_id": RUN, "path": "runlist/m"})

    assert answer.json() == {
        "root_uri": f"mlflow-artifacts:/{ROOT}",
        "files": [{"path": "runlist/m/MLmodel", "is_dir": False, "file_size": 2}],
    }


def test_a_run_whose_artifacts_lie_elsewhere_is_answered_with_a_sentence(house: House) -> None:
    listing = house.http.get("/api/2.0/mlflow/artifacts/list", params={"run_id": FOREIGN_RUN})
    download = house.http.get("/get-artifact", params={"run_id": FOREIGN_RUN, "path": "x"})

    for answer in (listing, download):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "not kept by this server" in answer.json()["message"]


def test_a_run_that_is_not_there_says_so_as_clients_expect(house: House) -> None:
    answer = house.http.get("/api/2.0/mlflow/artifacts/list", params={"run_id": "0" * 32})

    assert (answer.status_code, answer.json()["message"]) == (404, f"Run with id={'0' * 32} not found")


def test_the_pages_get_upload_and_browse_files_of_runs_and_models(house: House) -> None:
    query = {"run_uuid": RUN, "path": "pages/notes.txt"}
    up = house.http.post("/ajax-api/2.0/mlflow/upload-artifact", params=query, content=b"note")
    down = house.http.get("/get-artifact", params=query)
    house.put(f"0/models/{MODEL}/artifacts/MLmodel", b"flavors")
    base = f"/ajax-api/2.0/mlflow/logged-models/{MODEL}/artifacts"
    listing = house.http.get(f"{base}/directories")
    file = house.http.get(f"{base}/files", params={"artifact_file_path": "MLmodel"})

    assert (up.status_code, down.content) == (200, b"note")
    assert listing.json()["files"] == [{"path": "MLmodel", "is_dir": False, "file_size": 7}]
    assert file.content == b"flavors"


def test_the_pages_upload_takes_ten_megabytes_and_no_more(house: House) -> None:
    query = {"run_uuid": RUN, "path": "large"}

    answer = house.http.post("/ajax-api/2.0/mlflow/upload-artifact", params=query, content=bytes((10 << 20) + 1))

    assert (answer.status_code, answer.json()["message"]) == (400, "Artifact size is too large. Max size is 10MB.")


def test_presigned_addresses_are_refused_in_the_words_that_clients_fall_back_on(house: House) -> None:
    house.put(f"{ROOT}/signed", b"1")

    proxied = house.http.get(f"{PROXY}/presigned/{ROOT}/signed")
    down = house.http.post("/api/2.0/mlflow/artifacts/presigned-download-url", json={"run_id": RUN, "path": "signed"})
    up = house.http.post("/api/2.0/mlflow/artifacts/presigned-upload-url", json={"run_id": RUN, "path": "signed"})

    assert proxied.status_code == 501
    assert proxied.json()["message"].startswith(
        "Multipart download is not supported for the current artifact repository"
    )
    assert (down.status_code, up.status_code) == (400, 400)
    assert "not supported for runs with proxied artifact storage" in down.json()["message"]
    assert "not supported for proxied artifact storage" in up.json()["message"]


# Uploads in parts


def begin(house: House, folder: str, name: str, parts: int) -> tuple[str, list[str]]:
    answer = house.http.post(f"{PROXY}/mpu/create/{folder}", json={"path": name, "num_parts": parts}).json()
    return answer["upload_id"], [one["url"] for one in answer["credentials"]]


def send(url: str, data: bytes) -> str:
    """As stock clients do: to the address as it is, without credentials."""
    answer = httpx.put(url, content=data)
    assert answer.status_code == 200
    return answer.headers["etag"]


def complete(house: House, folder: str, name: str, upload: str, tags: dict[int, str]) -> httpx.Response:
    parts = [{"part_number": number, "etag": tag, "url": "u"} for number, tag in tags.items()]
    return house.http.post(f"{PROXY}/mpu/complete/{folder}", json={"path": name, "upload_id": upload, "parts": parts})


def test_a_file_in_parts_is_one_file_whatever_the_order_of_its_parts(house: House) -> None:
    local = "/home/ada/work/big.bin"
    upload, urls = begin(house, f"{ROOT}/mpu", local, 3)
    bodies = [b"a" * 100_000, b"b" * 100_000, b"c"]

    tags = {number: send(urls[number - 1], bodies[number - 1]) for number in (3, 1, 2)}
    unseen = house.get(f"{ROOT}/mpu/big.bin").status_code
    done = complete(house, f"{ROOT}/mpu", local, upload, tags)

    assert (unseen, done.status_code) == (404, 200)
    assert house.get(f"{ROOT}/mpu/big.bin").content == b"".join(bodies)
    assert list((house.workspace.home / "uploads").iterdir()) == []


def test_a_part_may_be_sent_again(house: House) -> None:
    upload, urls = begin(house, f"{ROOT}/mpu", "again.bin", 2)

    send(urls[0], b"wrong")
    tags = {1: send(urls[0], b"right"), 2: send(urls[1], b"!")}
    complete(house, f"{ROOT}/mpu", "again.bin", upload, tags)

    assert house.get(f"{ROOT}/mpu/again.bin").content == b"right!"


def test_an_upload_without_all_of_its_parts_makes_no_file(house: House) -> None:
    upload, urls = begin(house, f"{ROOT}/mpu", "torn.bin", 2)
    tags = {1: send(urls[0], b"one")}

    short = complete(house, f"{ROOT}/mpu", "torn.bin", upload, tags)
    send(urls[1], b"two")
    mistaken = complete(house, f"{ROOT}/mpu", "torn.bin", upload, {**tags, 2: '"sha256:0"'})

    assert (short.status_code, mistaken.status_code) == (400, 400)
    assert house.get(f"{ROOT}/mpu/torn.bin").status_code == 404


def test_the_address_of_a_part_is_good_for_that_part_alone_and_not_for_ever(house: House) -> None:
    _, urls = begin(house, f"{ROOT}/mpu", "signed.bin", 2)
    changed = urls[0].replace("/1?", "/2?")
    later = urls[0].replace("expires=1", "expires=2")
    unsigned = urls[0].partition("?")[0]

    for url in (changed, later, unsigned):
        assert httpx.put(url, content=b"x").status_code == 403


def test_an_upload_that_was_aborted_is_over(house: House) -> None:
    upload, urls = begin(house, f"{ROOT}/mpu", "over.bin", 1)
    send(urls[0], b"x")

    body = {"path": "over.bin", "upload_id": upload}
    aborted = house.http.post(f"{PROXY}/mpu/abort/{ROOT}/mpu", json=body)

    assert aborted.status_code == 200
    assert httpx.put(urls[0], content=b"x").status_code == 404
    assert complete(house, f"{ROOT}/mpu", "over.bin", upload, {1: "x"}).status_code == 404


# Our own client's way


def test_bytes_that_the_server_has_are_not_sent_again(house: House) -> None:
    digest = house.put(f"{ROOT}/dedup/a", b"shared").headers["etag"].strip('"')
    never = of_bytes(b"never")

    had = house.http.post("/api/v1/files/have", json={"digests": [digest, never]}).json()
    links = [{"path": f"{ROOT}/dedup/{n}", "digest": one} for n, one in enumerate((digest, never))]
    linked = house.http.post("/api/v1/files/link", json={"files": links}).json()

    assert had == [digest]
    assert linked["missing"] == [f"{ROOT}/dedup/1"]
    assert house.get(f"{ROOT}/dedup/0").content == b"shared"


def test_a_folder_of_ten_thousand_files_is_listed_at_once(house: House) -> None:
    digest = house.put(f"{ROOT}/many/first", b"1").headers["etag"].strip('"')
    links = [{"path": f"{ROOT}/many/d{n % 100}/f{n}", "digest": digest} for n in range(5_000)]
    links += [{"path": f"{ROOT}/many/f{n:05}", "digest": digest} for n in range(5_000)]
    house.http.post("/api/v1/files/link", json={"files": links})

    entries = house.list(f"{ROOT}/many")

    assert len(entries) == 5_000 + 100 + 1
    assert [one["path"] for one in entries] == sorted(str(one["path"]) for one in entries)


# What goes wrong


def test_who_hangs_up_in_the_middle_leaves_the_file_as_it_was(house: House) -> None:
    house.put(f"{ROOT}/torn", b"old")

    def pieces() -> Iterator[bytes]:
        yield b"n" * 3_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        house.http.put(f"{FILES}/{ROOT}/torn", content=pieces())

    assert house.get(f"{ROOT}/torn").content == b"old"


def test_what_is_sealed_answers_409_and_stays(house: House) -> None:
    house.put(f"{ROOT}/sealed/MLmodel", b"m")
    workspace = house.workspace
    workspace.store.write(lambda tx: workspace.tracking.files.seal(tx, "default", f"{ROOT}/sealed"))

    put, deleted = house.put(f"{ROOT}/sealed/MLmodel", b"x"), house.http.delete(f"{FILES}/{ROOT}")

    for answer in (put, deleted):
        assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
        assert "never change" in answer.json()["message"]
    assert house.get(f"{ROOT}/sealed/MLmodel").content == b"m"


def test_without_credentials_nothing_is_read_or_written(house: House, tmp_path: Path) -> None:
    house.put(f"{ROOT}/private", b"x")

    for method, path in (("GET", f"{ROOT}/private"), ("PUT", f"{ROOT}/private"), ("DELETE", f"{ROOT}/private")):
        assert httpx.request(method, f"{house.url}{FILES}/{path}").status_code == 401
    assert httpx.get(f"{house.url}{FILES}").status_code == 401
