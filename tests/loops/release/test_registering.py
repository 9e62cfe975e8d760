"""What a model is said to take: columns of the frame, and nothing by which its rows are found again."""

from __future__ import annotations

import polars as pl
import pytest

from treadle.loops.release.errors import BadSignature
from treadle.loops.release.registering import describe_inputs


@pytest.mark.parametrize("name", ["_landing", "_row"])
def test_the_id_of_a_row_is_no_feature(name: str) -> None:
    rows = pl.DataFrame({"a": [1.0], "_landing": ["land_1"], "_row": [0]})

    with pytest.raises(BadSignature, match=f"'{name}' is no feature"):
        describe_inputs(rows, features=["a", name])
