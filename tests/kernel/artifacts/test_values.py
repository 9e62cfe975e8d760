"""Values keep their type and their identity on the way through a store."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import math
import sys
import typing
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.kernel.artifacts import INLINE_BYTES, Artifact, Artifacts, LocalBlobs, NotLoadable, NotStorable


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Point(typing.NamedTuple):
    x: int
    y: float


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    name: str
    edges: tuple[float, ...]
    at: dt.datetime | None = None


@pytest.fixture(autouse=True)
def _found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes above are looked up under the name of this module, whatever the import mode calls it."""
    monkeypatch.setitem(sys.modules, Split.__module__, sys.modules.get(Split.__module__) or sys.modules[__name__])


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path))


class _NoBlobs(LocalBlobs):
    """For properties, where hypothesis shares one service: what is large goes to a folder that is never there."""


def in_memory() -> Artifacts:
    return Artifacts(_NoBlobs(Path("/nonexistent/treadle")))


SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2**53 + 1, 2**63, 2**64, -(2**200), 0.0, -0.0, 1.0, 1e16, 5e-324, math.inf, -math.inf, math.nan,
    "", "1", "1.0", "null", "nan", "café ✓", "\ud800", "$", b"", b"1", bytearray(b"1"), Decimal("1.0"), Decimal("1.00"), Decimal("NaN"),
    dt.date(2013, 1, 1), dt.datetime(2013, 1, 1), dt.datetime(2013, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2013, 1, 1, tzinfo=ZoneInfo("UTC")), dt.datetime(2013, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    dt.datetime(2013, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1), dt.datetime(2013, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    dt.time(1, 2, 3), dt.time(1, 2, 3, 4, tzinfo=dt.UTC), dt.timedelta(days=-1, microseconds=5), uuid.UUID(int=7), 1j, complex(math.nan, -0.0),
    [], [1], [[1]], (), (1,), {}, {"a": 1}, {"a": 1.0}, {1: 2}, {"1": 2}, {(1, 2): 3}, {"$": "tuple", "v": [1]}, {"$": 1}, {"\ud800": 1},
    set(), {1}, frozenset({1}), range(3), collections.deque([1], 3), collections.OrderedDict(a=1), collections.Counter("a"),
    collections.defaultdict(int, a=1), Color.RED, Level.LOW, Mode.FAST, "fast", "red", Point(1, 2.0), (1, 2.0), Split("a", (0.5,)),
    Split("a", (0.5,), dt.datetime(2013, 1, 1)), {"x": (1, {2}), "y": [b"", None]},
    np.float64(1.0), np.float32(1.0), np.int64(1), np.bool_(True), np.str_("a"), np.datetime64("2013-01-01", "s"), np.datetime64("2013-01-01", "us"),
]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal in type, value, sign of zero and kind of NaN, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(map(same, one.values(), other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dt.datetime | dt.time):
        return one == other and repr(one) == repr(other)
    if isinstance(one, np.generic):
        return one.dtype == other.dtype and bool(one == other)
    return bool(one == other)


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: f"{type(value).__name__}-{value!r}"[:40])
def test_a_value_comes_back_as_it_was(artifacts: Artifacts, value: Any) -> None:
    artifact = artifacts.put(value)

    assert same(artifacts.load(artifact), value)
    assert artifact.digest == artifacts.digest(value)
    assert artifact.inline is not None
    assert artifact.blob is None
    assert artifacts.verify(artifact, deep=True) is None


def test_different_values_never_share_a_digest(artifacts: Artifacts) -> None:
    found: dict[str, Any] = {}
    for value in SCALARS:
        digest = artifacts.digest(value)
        assert digest not in found, f"{value!r} and {found[digest]!r}"
        found[digest] = value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=8)
    | st.dates()
    | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.just("$"), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_any_nested_value_comes_back_as_it_was(value: Any) -> None:
    artifacts = in_memory()
    artifact = artifacts.put(value)
    assert same(artifacts.load(artifact), value)
    assert artifacts.digest(artifacts.load(artifact)) == artifact.digest


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=4) | st.integers(), json_values, max_size=5), st.randoms())
def test_the_order_of_a_dict_is_kept_but_is_no_identity(value: dict[Any, Any], random: Any) -> None:
    artifacts = in_memory()
    pairs = list(value.items())
    random.shuffle(pairs)

    artifact = artifacts.put(dict(pairs))

    assert artifact.digest == artifacts.digest(value)
    assert list(artifacts.load(artifact)) == [key for key, _ in pairs]


def test_sets_have_one_digest_in_any_order(artifacts: Artifacts) -> None:
    assert artifacts.digest({"a", "b", "c", 1, (2, 3)}) == artifacts.digest({(2, 3), 1, "c", "b", "a"})
    assert artifacts.digest({("a", 1): {"x", "y"}, ("b", 2): None}) == artifacts.digest(
        {("b", 2): None, ("a", 1): {"y", "x"}}
    )


def test_digests_stay_what_they_were() -> None:
    """Digests live in stores for years: these never change."""
    import hashlib

    def h(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    artifacts = in_memory()
    expected = {
        7: h(b"treadle.value.v1\n" + h(b"7")).hex(),
        "seven": h(b"treadle.text.v1\n" + h(b"seven")).hex(),
        b"7": h(b"treadle.bytes.v1\n" + h(b"7")).hex(),
        (1, 2): h(b"treadle.value.v1\n" + h(b'{"$":"tuple","v":[1,2]}')).hex(),
    }
    assert {value: artifacts.digest(value) for value in expected} == {
        value: "sha256:" + hexes for value, hexes in expected.items()
    }


@pytest.mark.parametrize(
    "value", ["x" * INLINE_BYTES, b"x" * INLINE_BYTES, list(range(INLINE_BYTES))], ids=["text", "bytes", "list"]
)
def test_large_values_are_blobs(artifacts: Artifacts, value: Any) -> None:
    artifact = artifacts.put(value)

    assert artifact.inline is None
    assert artifact.blob is not None
    assert artifacts.blobs.size(artifact.blob) == artifact.size_bytes
    assert artifacts.load(artifact) == value
    assert list(artifacts.blobs_of(artifact)) == [artifact.blob]


def test_a_kind_sets_the_digest_apart(artifacts: Artifacts) -> None:
    code, environment, plain = (artifacts.put(b"zip", kind=kind) for kind in ("code", "environment", None))

    assert len({code.digest, environment.digest, plain.digest}) == 3
    assert (code.kind, plain.kind) == ("code", "bytes")
    assert artifacts.digest(b"zip", kind="code") == code.digest
    assert artifacts.put(b"zip", kind="bytes") == plain
    assert artifacts.load(code) == b"zip"
    assert artifacts.verify(code, deep=True) is None


def test_what_is_known_is_not_written_again(artifacts: Artifacts) -> None:
    first = artifacts.put("x" * 10_000)
    assert first.blob is not None
    asked: list[str] = []

    def known(digest: str) -> Artifact | None:
        asked.append(digest)
        return first

    assert artifacts.put("x" * 10_000, known=known) is first
    artifacts.blobs.delete(first.blob)
    again = artifacts.put("x" * 10_000, known=known)

    assert asked == [first.digest] * 2
    assert again is not first
    assert artifacts.stands(again)


def test_frames_and_arrays_inside_a_value_are_artifacts_of_their_own(artifacts: Artifacts) -> None:
    frame = pl.DataFrame({"x": range(2000)})
    value = {"rows": frame, "weights": (np.arange(3.0), np.float32(0.5)), "auc": 0.9, "again": [frame]}

    artifact = artifacts.put(value)
    back = artifacts.load(artifact)

    assert back["rows"].equals(frame)
    assert back["again"][0].equals(frame)
    assert back["weights"][0].tolist() == [0.0, 1.0, 2.0]
    assert back["weights"][1].dtype == np.float32
    assert artifact.digest == artifacts.digest(dict(reversed(value.items())))
    assert artifact.digest != artifacts.digest({**value, "rows": frame.reverse()})
    blobs = list(artifacts.blobs_of(artifact))
    assert len(set(blobs)) == 1, "both uses of the frame share its bytes"
    assert artifacts.stands(artifact)
    artifacts.blobs.delete(blobs[0])
    assert not artifacts.stands(artifact)
    assert "not in" in (artifacts.verify(artifact, deep=True) or "") or "gone" in (artifacts.verify(artifact) or "")


def _generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (_generator(), "list"),
        (map(str, [1]), "list"),
        (lambda: 1, "computes"),
        (sys, "computes"),
        (object(), "Return data"),
        (memoryview(b"a"), "bytes"),
        (Path(__file__).open("rb"), "Close"),  # noqa: SIM115
        ({"inner": object()}, "Return data"),
        (type("Odd", (dict,), {})(), "dict"),
        (dt.datetime(2013, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {})()), "ZoneInfo"),
        (np.array([object()]), "astype"),
        (np.ma.masked_array([1, 2], [True, False]), "filled"),
        (Path("/nonexistent/file"), "written"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_says_what_to_do(artifacts: Artifacts, value: Any, fix: str) -> None:
    with pytest.raises(NotStorable) as refusal:
        artifacts.put(value)
    assert fix in refusal.value.fix
    if hasattr(value, "close"):
        value.close()


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value, -value]], ids=["alone", "inside"])
def test_integers_of_any_length_come_back(artifacts: Artifacts, wrap: Any) -> None:
    value = wrap(7**6000)
    assert artifacts.load(artifacts.put(value)) == value


def test_a_value_that_contains_itself_is_refused(artifacts: Artifacts) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotStorable, match="contains itself"):
        artifacts.put(loop)


def test_classes_inside_functions_are_refused(artifacts: Artifacts) -> None:
    @dataclasses.dataclass
    class Local:
        x: int

    with pytest.raises(NotStorable, match="inside a function"):
        artifacts.put(Local(1))


def test_reading_a_value_imports_nothing(artifacts: Artifacts) -> None:
    artifact = artifacts.put(Color.RED)
    assert artifact.inline is not None
    foreign = dataclasses.replace(artifact, inline=artifact.inline.replace(Color.__module__.encode(), b"antigravity"))

    with pytest.raises(NotLoadable, match="antigravity"):
        artifacts.load(foreign)
    assert "antigravity" not in sys.modules


def test_a_class_that_has_changed_is_named(artifacts: Artifacts) -> None:
    artifact = artifacts.put(Split("a", ()))
    assert artifact.inline is not None
    older = dataclasses.replace(artifact, inline=artifact.inline.replace(b'"edges"', b'"bounds"'))
    with pytest.raises(NotLoadable, match="other fields"):
        artifacts.load(older)


def test_an_unknown_codec_is_named(artifacts: Artifacts) -> None:
    artifact = dataclasses.replace(artifacts.put(1), codec="value/jsn")
    with pytest.raises(NotLoadable) as refusal:
        artifacts.load(artifact)
    assert "value/json" in refusal.value.fix
