"""What the two servers are asked: the strategies that random sequences of calls are drawn from.

Most of what is drawn is sound, so that a state grows; the rest is wrong in the ways in which clients are wrong: over a limit, of
another type, unknown, deleted, malformed.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SHORT = ["a", "loss", "val/loss", "ünï", "with space", "x.y-z", "Q"]
BAD_KEYS = [
    "",
    "/",
    "../up",
    "a//b",
    "a/./b",
    "x" * 251,
    "new\nline",
    "semi;colon",
    "\\back",
    "é" * 250,
    "%41",
    "a:b",
    "*",
]
TEXTS = ["", "v", "Value", "ünïcødé 😀", "with 'quote'", 'with "double"', "a%b_c", "0", "x" * 500]

rarely = st.sampled_from([False] * 7 + [True])
picks = st.integers(0, 5)
keys = st.one_of(st.sampled_from(SHORT), st.sampled_from(SHORT), st.sampled_from(SHORT), st.sampled_from(BAD_KEYS))
few_keys = st.sampled_from(["a", "loss", "val/loss", "with space"])
texts = st.sampled_from(TEXTS)
param_values = st.one_of(texts, texts, st.sampled_from(["x" * 6000, "x" * 6001]))
tag_values = st.one_of(texts, texts, st.sampled_from(["x" * 8000, "x" * 8001]))
finite = st.sampled_from([0, 1, -1, 0.5, 0.1, 2.5, 1e300, -1e-300, 5e-324, 123456789012])
wild = st.sampled_from(["NaN", "Infinity", "-Infinity", 1.7976931348623157e308])
wrong_values = st.none()
metric_values = st.one_of(finite, finite, finite, finite, wild, wrong_values)
steps = st.one_of(st.integers(0, 4), st.integers(0, 4), st.sampled_from([-3, 2**40, "7", None]))
stamps = st.one_of(st.integers(1000, 1004), st.integers(1000, 1004), st.sampled_from(["1005", 2**41, 0, None]))
wrong = st.sampled_from([None, 7, "", True, [], {}, "f" * 32, "not-an-id", "x" * 33])


@st.composite
def metrics(draw: st.DrawFn) -> dict[str, Any]:
    """One point, now and then a broken one."""
    point = {
        "key": draw(keys if draw(rarely) else few_keys),
        "value": draw(metric_values if draw(rarely) else finite),
        "timestamp": draw(stamps),
        "step": draw(steps),
    }
    if draw(rarely):
        point.pop(draw(st.sampled_from(sorted(point))))
    return point


@st.composite
def pairs(draw: st.DrawFn, values: st.SearchStrategy[Any] = texts) -> dict[str, Any]:
    """A key and a value."""
    pair = {"key": draw(keys if draw(rarely) else few_keys), "value": draw(values)}
    if draw(rarely):
        pair[draw(st.sampled_from(sorted(pair)))] = draw(st.sampled_from([None, "", "x" * 251]))
    return pair


sound_pairs = st.builds(lambda key, value: {"key": key, "value": value}, few_keys, texts)


def lists(of: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, max_size=most)


_METRIC = ["metrics.loss", "metric.a", "metrics.`val/loss`", 'metrics."with space"', "metrics.absent"]
_PARAM = ["params.loss", "param.a", "parameters.a", "params.`with space`", "params.absent"]
_TAG = ["tags.a", "tag.loss", 'tags."with space"', "tags.mlflow.runName", "tags.absent"]
_QUOTED = ["'v'", "'Value'", "'0'", "'a%'", "'%a%'", "'V%'", '"v"', "'ünïcødé 😀'", "''", "'FINISHED'", "'run%'"]
_NUMBERS = ["0", "1", "-1", "0.5", "1e300", "2", "-.5", "'a'", "nan", "1 "]
_EACH_NUMBER = [">", ">=", "=", "!=", "<", "<=", "LIKE"]
_EACH_TEXT = ["=", "!=", "LIKE", "ILIKE", "like", ">"]


@st.composite
def run_conditions(draw: st.DrawFn) -> str:
    """One comparison of the grammar of runs."""
    kind = draw(st.sampled_from(["metric", "metric", "param", "tag", "attribute", "null", "in", "time", "dataset"]))
    if kind == "metric":
        return (
            f"{draw(st.sampled_from(_METRIC))} {draw(st.sampled_from(_EACH_NUMBER))} {draw(st.sampled_from(_NUMBERS))}"
        )
    if kind == "null":
        side = draw(st.sampled_from(_PARAM + _TAG + _METRIC))
        return f"{side} {draw(st.sampled_from(['IS NULL', 'IS NOT NULL', 'is null']))}"
    if kind == "in":
        side = draw(st.sampled_from(["run_id", "attributes.run_id", "attributes.status", "params.a"]))
        return f"{side} {draw(st.sampled_from(['IN', 'NOT IN', 'in']))} ('‹run1›', '‹run2›')"
    if kind == "time":
        side = draw(
            st.sampled_from(["start_time", "attributes.start_time", "created", "end_time", "attribute.Created"])
        )
        return f"{side} {draw(st.sampled_from(_EACH_NUMBER))} {draw(st.sampled_from(['1600000002000', '0', '5']))}"
    if kind == "dataset":
        side = draw(st.sampled_from(["datasets.name", "dataset.digest", "datasets.context"]))
        value = draw(st.sampled_from(["'flights'", "'d1'", "'train'", "'F%'"]))
        return f"{side} {draw(st.sampled_from(_EACH_TEXT))} {value}"
    side = draw(
        st.sampled_from(
            {
                "param": _PARAM,
                "tag": _TAG,
                "attribute": [
                    "run_name",
                    "attributes.`run name`",
                    "attr.status",
                    "user_id",
                    "attributes.artifact_uri",
                    "run_id",
                ],
            }[kind]
        )
    )
    return f"{side} {draw(st.sampled_from(_EACH_TEXT))} {draw(st.sampled_from(_QUOTED))}"


_MALFORMED = [
    "metrics.loss",
    "= 3",
    "metrics.loss >",
    "a.b = 'c'",
    "metrics.loss > 1 params.a = 'v'",
    "params.a = v",
    "'",
    "AND",
]
run_filters = st.one_of(
    st.just(""),
    run_conditions(),
    run_conditions(),
    st.lists(run_conditions(), min_size=2, max_size=3).map(" AND ".join),
    st.lists(run_conditions(), min_size=2, max_size=2).map(" and ".join),
    st.sampled_from(_MALFORMED),
)
run_orders = st.lists(
    st.builds(
        lambda key, way: key + way,
        st.sampled_from(
            [
                "metrics.loss",
                "metrics.a",
                "params.a",
                "tags.a",
                "attributes.start_time",
                "start_time",
                "run_name",
                "status",
                "end_time",
                "metrics.`val/loss`",
                "attribute.Created",
                "metrics.absent",
                "nothing.here",
                "bogus",
            ]
        ),
        st.sampled_from(["", " ASC", " DESC", " asc", " desc", " SIDEWAYS"]),
    ),
    max_size=2,
)
page_sizes = st.one_of(st.none(), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0, -1, 50_000, 50_001, "2"]))
views = st.sampled_from([None, "ACTIVE_ONLY", "DELETED_ONLY", "ALL", "ACTIVE_ONLY", "bogus"])

experiment_filters = st.sampled_from(
    [
        "",
        "name = '{0}-a'",
        "name LIKE '{0}%'",
        "name ILIKE '{0}-A%'",
        "tags.a = 'v'",
        "tag.loss LIKE 'V%'",
        "name != '{0}-a'",
        "experiment_id = '‹experiment1›'",
        "experiment_id IN ('‹experiment1›')",
        "creation_time > 0",
        "last_update_time < 5",
        "name = '{0}-a' AND tags.a = 'v'",
        "tags.a IS NULL",
        "tags.a IS NOT NULL",
        "bogus = 'x'",
        "name > 'a'",
        "name = 3",
        "name",
    ]
)
experiment_orders = st.lists(
    st.sampled_from(
        ["name", "name DESC", "experiment_id ASC", "creation_time DESC", "last_update_time ASC", "bogus", "tags.a"]
    ),
    max_size=2,
    unique=True,
)
model_filters = st.sampled_from(
    [
        "",
        "name = '{0}-a'",
        "name LIKE '{0}%'",
        "name ILIKE '{0}-A%'",
        "tags.a = 'v'",
        "tags.a != 'v'",
        "tags.loss LIKE 'V%'",
        "name != '{0}-a'",
        "name LIKE '{0}%' AND tags.a = 'v'",
        "version = 1",
        "name > 'a'",
        "name",
        "tags.a IS NULL",
    ]
)
model_orders = st.lists(
    st.sampled_from(
        ["name", "name DESC", "timestamp ASC", "last_updated_timestamp DESC", "creation_timestamp", "bogus", "name UP"]
    ),
    max_size=2,
)
version_filters = st.sampled_from(
    [
        "",
        "name = '{0}-a'",
        "name LIKE '{0}%'",
        "run_id = '‹run1›'",
        "run_id IN ('‹run1›', '‹run2›')",
        "tags.a = 'v'",
        "version_number > 1",
        "version_number = 1",
        "source_path LIKE '%art%'",
        "name ILIKE '{0}-A'",
        "bogus = 1",
        "name > 'a'",
        "name = '{0}-a' AND version_number >= 2",
        "version_number = 'x'",
        "name IN ('{0}-a')",
    ]
)
version_orders = st.lists(
    st.sampled_from(
        [
            "name ASC",
            "name DESC",
            "version_number ASC",
            "version_number DESC",
            "creation_timestamp",
            "last_updated_timestamp ASC",
            "bogus",
            "name SIDEWAYS",
        ]
    ),
    max_size=2,
)
logged_filters = st.sampled_from(
    [
        "",
        "name = 'a'",
        "name LIKE 'a%'",
        "model_type = 'Agent'",
        "status = 'bogus'",
        "params.a = 'v'",
        "tags.a = 'v'",
        "metrics.loss > 0",
        "source_run_id = '‹run1›'",
        "model_id = '‹model1›'",
        "creation_time > 0",
        "name = 'a' AND params.a = 'v'",
        "bogus = 'x'",
        "attributes.name = 'a'",
        "metrics.loss",
        "name > 'a'",
        "model_id IN ('‹model1›', '‹model2›')",
        "params.a IS NULL",
    ]
)
logged_orders = st.lists(
    st.sampled_from(
        [
            {"field_name": "name", "ascending": True},
            {"field_name": "creation_time"},
            {"field_name": "creation_timestamp", "ascending": False},
            {"field_name": "metrics.loss", "ascending": True},
            {"field_name": "last_updated_timestamp", "ascending": False},
            {"field_name": "metrics.loss", "dataset_name": "flights"},
            {"field_name": "bogus"},
        ]
    ),
    max_size=1,
)
paths = st.sampled_from(
    [
        "a.txt",
        "dir/a.txt",
        "dir/b.txt",
        "dir/deep/c.bin",
        "ünï.txt",
        "with space.txt",
        "a%41.txt",
        "dir",
        ".hidden",
        "a.txt/under",
    ]
)
bad_paths = st.sampled_from(
    ["../x", "dir/../../x", "..%2fx", "/etc/passwd", "a/..", "dir//a.txt", "./a.txt", "C:\\x", "a\x00b", ""]
)
STORED_BY_STOCK = {"/etc/passwd", "dir//a.txt", "C:\\x", "./a.txt", "a\x00b"}
"""Paths that a stock server stores a file at, and Treadle does not."""
