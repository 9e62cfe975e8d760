"""The home's token is made once, and read by its owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from treadle.faces.tokens import TokenFileOpen, find_home_token, home_token


def test_the_token_is_made_once_and_stays(tmp_path):
    first = home_token(tmp_path / "home")

    assert len(first) >= 43
    assert home_token(tmp_path / "home") == first


def test_only_the_owner_can_read_it(tmp_path):
    home_token(tmp_path)

    assert (tmp_path / "api.token").stat().st_mode & 0o777 == 0o600


def test_a_token_that_others_can_read_is_refused(tmp_path):
    home_token(tmp_path)
    (tmp_path / "api.token").chmod(0o644)

    with pytest.raises(TokenFileOpen, match=r"api\.token"):
        home_token(tmp_path)


def test_many_who_make_it_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: home_token(tmp_path), range(32)))

    assert len(tokens) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["api.token"]


def test_looking_for_a_token_makes_none(tmp_path):
    assert find_home_token(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
