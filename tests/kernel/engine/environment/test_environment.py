"""The environment is captured fast, says nothing secret, and is compared in words."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from treadle.kernel.engine.environment import ThreadPool, capture, compare, git_state, start_diff
from treadle.kernel.engine.environment.distributions import in_folder, installed, normalise, owner_of, site_of


def test_distributions_agree_with_importlib_metadata() -> None:
    expected: dict[str, str] = {}
    path = [folder for folder in sys.path if not re.search(r"-packages[/\\].", folder)]  # a test may have imported Ray
    for each in importlib.metadata.distributions(path=path):
        expected.setdefault(normalise(each.metadata["Name"]), each.version)

    assert installed() == dict(sorted(expected.items()))


def test_what_a_package_carries_inside_itself_is_no_distribution_of_the_environment(tmp_path, monkeypatch):
    carried = tmp_path / "site-packages" / "ray" / "thirdparty"
    (carried / "borrowed-9.9.dist-info").mkdir(parents=True)
    before = installed()
    monkeypatch.syspath_prepend(str(carried))

    assert installed() == before


def test_metadata_is_read_where_the_folder_does_not_say_the_version(tmp_path: Path) -> None:
    (tmp_path / "My_Lib.egg-info").mkdir()
    (tmp_path / "My_Lib.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: My.Lib\nVersion: 1.5\n\nText")
    (tmp_path / "other-2.0-py3.11.egg-info").mkdir()

    found = in_folder(str(tmp_path))

    assert {name: each.version for name, each in found.items()} == {"my-lib": "1.5", "other": "2.0"}


def test_a_new_distribution_is_noticed_in_one_process(tmp_path: Path) -> None:
    assert in_folder(str(tmp_path)) == {}

    (tmp_path / "late-1.0.dist-info").mkdir()

    assert list(in_folder(str(tmp_path))) == ["late"]


@pytest.mark.parametrize(
    ("module", "distribution"), [("yaml", "pyyaml"), ("polars", "polars"), ("typing_extensions", "typing-extensions")]
)
def test_a_file_is_traced_to_the_distribution_that_installed_it(module: str, distribution: str) -> None:
    path = str(__import__(module).__file__)
    site = site_of(path)
    assert site is not None

    owner = owner_of(path, site)

    assert owner is not None
    assert (owner.name, owner.version) == (distribution, importlib.metadata.version(distribution))


def test_local_folders_commits_and_archives_are_told_from_releases(tmp_path: Path) -> None:
    urls = {
        "local": '{"url": "file:///x", "dir_info": {}}',
        "commit": '{"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
        "archive": '{"url": "https://x", "archive_info": {"hashes": {"sha256": "12"}}}',
        "release": "",
    }
    for name, url in urls.items():
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info" / "RECORD").write_text(f"{name}.py,,\n")
        if url:
            (tmp_path / f"{name}-1.0.dist-info" / "direct_url.json").write_text(url)

    owners = {name: owner_of(str(tmp_path / f"{name}.py"), str(tmp_path)) for name in urls}

    assert {name: (each.is_local, bool(each.origin)) for name, each in owners.items() if each is not None} == {
        "local": (True, False),
        "commit": (False, True),
        "archive": (False, True),
        "release": (False, False),
    }


def test_capture_records_interpreter_machine_and_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    found = capture(tmp_path)

    assert (found.python, found.machine) == (platform.python_version(), platform.machine())
    assert found.cpu
    assert found.settings["OMP_NUM_THREADS"] == "3"
    assert found.lock_digest is not None
    (tmp_path / "uv.lock").write_text("version = 2\n")
    assert capture(tmp_path).lock_digest != found.lock_digest


def test_no_other_variable_reaches_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2")

    assert "hunter2" not in repr(capture(tmp_path))


def test_capture_imports_no_numpy_and_starts_no_process(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.addaudithook(lambda event, _: event in ('subprocess.Popen', 'os.posix_spawn', 'os.fork') and sys.exit(event))\n"
        "from treadle.kernel.engine.environment import capture\n"
        "found = capture()\n"
        "assert found.pools == () and 'numpy' not in sys.modules and 'subprocess' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_native_pools_are_described_once_numpy_is_there(tmp_path: Path) -> None:
    import numpy as np

    np.ones(2) @ np.ones(2)

    assert any(each.role == "blas" and each.kernel for each in capture(tmp_path).pools)


def test_the_digest_leaves_out_where_the_code_came_from(tmp_path: Path) -> None:
    before = capture(tmp_path)
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)

    after = capture(tmp_path)

    assert after.git is not None
    assert before.git != after.git
    assert after.digest == before.digest


def pool(**changes: object) -> ThreadPool:
    return replace(ThreadPool(role="blas", library="openblas", version="0.3", kernel="Haswell", threads=2), **changes)  # type: ignore[arg-type]


def test_equal_environments_are_the_same(tmp_path: Path) -> None:
    found = capture(tmp_path)

    assert compare(found, found).verdict == "same"
    assert compare(found, found).differences == ()


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"distributions": {"polars": "2.1.0"}}, "other", "polars went from 2.0.1 to 2.1.0"),
        ({"distributions": {}}, "other", "polars 2.0.1 is not installed"),
        ({"distributions": {"polars": "2.0.1", "x": "1"}}, "other", "x 1 was not installed"),
        ({"python": "3.99.0"}, "other", "Python went from 3.11.7 to 3.99.0"),
        ({"cpu": "Other"}, "rebuilt", "the CPU is Other, and was CPU"),
        ({"settings": {"OMP_NUM_THREADS": "4"}}, "rebuilt", "OMP_NUM_THREADS is 4, and was 1"),
        ({"settings": {}}, "rebuilt", "OMP_NUM_THREADS is not set, and was 1"),
        (
            {"pools": (pool(kernel="Zen"),)},
            "rebuilt",
            "the blas library openblas uses the CPU kernel Zen, and used Haswell",
        ),
        ({"pools": (pool(threads=8),)}, "rebuilt", "the blas library openblas has 8 threads, and had 2"),
        ({"pools": (pool(version="0.4"),)}, "rebuilt", "the blas library openblas is version 0.4, and was 0.3"),
        ({"pools": (pool(), pool(version="0.4", threads=8))}, "same", ""),  # scipy has brought its own since
        ({"lock_digest": None}, "rebuilt", "the lock file is gone"),
        ({"git": None}, "same", ""),
        ({"pools": ()}, "same", ""),
    ],
)
def test_a_difference_has_a_verdict_and_words(
    tmp_path: Path, changes: dict[str, object], verdict: str, words: str
) -> None:
    recorded = replace(
        capture(tmp_path),
        python="3.11.7",
        cpu="CPU",
        distributions={"polars": "2.0.1"},
        settings={"OMP_NUM_THREADS": "1"},
        pools=(pool(),),
        lock_digest="sha256:1",
    )

    found = compare(recorded, replace(recorded, **changes))  # type: ignore[arg-type]

    assert found.verdict == verdict
    assert found.differences == ((words,) if words else ())
    assert {each.name for each in fields(recorded)} >= set(changes)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_commit_and_branch_are_read_loose_packed_and_detached(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")

    loose = git_state(repository)
    git(repository, "pack-refs", "--all")
    packed = git_state(repository)
    git(repository, "checkout", "-q", "--detach")
    detached = git_state(repository)

    assert loose is not None
    assert (loose.commit, loose.branch) == (commit, "main")
    assert packed == loose
    assert detached is not None
    assert (detached.commit, detached.branch) == (commit, None)


def test_commit_and_branch_are_read_in_a_folder_below_and_in_a_work_tree(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = tmp_path_factory.mktemp("trees") / "side"
    git(repository, "worktree", "add", "-q", "-b", "side", str(tree))
    (repository / "src").mkdir()

    below, side = git_state(repository / "src"), git_state(tree)

    assert below is not None
    assert below.branch == "main"
    assert side is not None
    assert (side.commit, side.branch) == (below.commit, "side")


def test_a_branch_without_a_commit_and_no_repository_are_understood(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")

    found = git_state(tmp_path)

    assert found is not None
    assert (found.commit, found.branch) == (None, "main")
    assert git_state("/") is None


def test_the_diff_comes_later_without_secrets(repository: Path) -> None:
    assert start_diff(repository).result() == ""
    (repository / ".env").write_text("PASSWORD=old\n")
    git(repository, "add", "-f", ".env")
    git(repository, "commit", "-q", "-m", "oops")

    (repository / "a.py").write_text("x = 2\n")
    (repository / ".env").write_text("PASSWORD=hunter2\n")
    diff = start_diff(repository).result()

    assert diff is not None
    assert "+x = 2" in diff
    assert "hunter2" not in diff


def test_a_long_diff_is_cut_and_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.kernel.engine.environment.git.MAX_DIFF_BYTES", 50)
    (repository / "a.py").write_text("x = 2\n" * 100)

    diff = start_diff(repository).result()

    assert diff is not None
    assert diff.endswith("[cut after 50 bytes]\n")


def test_there_is_no_diff_outside_a_repository() -> None:
    assert start_diff("/").result() is None
