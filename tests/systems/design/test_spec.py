"""Specifications read alike from Python, TOML and YAML, and refuse what contradicts itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.systems.design.specs import FLIGHTS, make_spec
from treadle.systems.design import from_mapping, load
from treadle.systems.design.errors import InvalidModelSpec

TOML = """
name = "late"
task = "binary"
target = "late"
metric = "auc"
seeds = [1, 2]

[inputs]
carrier = "category"

[split.parts]
train = { start = 2013-01-01, end = 2013-03-01T00:00:00 }
valid = { start = 2013-03-01, end = 2013-04-01T00:00:00Z }

[search.space]
num_leaves = [15, 31]
"""
YAML = """
name: late
task: binary
target: late
metric: {name: auc}
seeds: [1, 2]
inputs: [{name: carrier, type: category}]
split:
  parts:
    train: {start: 2013-01-01, end: 2013-03-01}
    valid: {start: 2013-03-01, end: "2013-04-01T00:00:00+00:00"}
search: {space: {num_leaves: {choices: [15, 31]}}}
"""


def test_toml_and_yaml_give_the_same_specification(tmp_path: Path) -> None:
    (tmp_path / "late.toml").write_text(TOML)
    (tmp_path / "late.yaml").write_text(YAML)

    one, other = load(tmp_path / "late.toml"), load(tmp_path / "late.yaml")

    assert one == other
    assert one.digest == other.digest
    assert one.split.parts["train"].end == datetime(2013, 3, 1, tzinfo=UTC)


def test_description_reads_back_as_the_same_specification():
    spec = make_spec()

    assert from_mapping(spec.describe()) == spec
    assert from_mapping(spec.describe()).digest == spec.digest


@pytest.mark.parametrize(
    "change", [{"target": "very_late"}, {"seeds": [8]}, {"metrics": ["log_loss"]}, {"gate": []}], ids=str
)
def test_digest_changes_with_the_specification(change):
    assert make_spec(**change).digest != make_spec().digest


def in_space(**dimension: object) -> dict:
    return {"search": {"sampling": "random", "space": {"x": dimension}}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "a b"}, "no name"),
        ({"inputs": {}}, "needs inputs"),
        ({"inputs": [{"name": "x", "type": "number"}] * 2}, "same name"),
        ({"inputs": {"x": "nubmer"}}, "form"),
        ({"target": "carrier"}, "among the inputs"),
        ({"seeds": []}, "needs a seed"),
        ({"metric": "lift"}, "which way"),
        ({"metric": {"name": "auc", "split": "holdout"}}, "no part of the split"),
        ({"metric": {"name": "auc", "split": "train"}}, "trained on"),
        ({"split": {"parts": {"train": {"start": "2013-01-01", "end": "2013-02-01"}}}}, "two parts"),
        ({"split": {"parts": {**FLIGHTS["split"]["parts"], "late": {"start": "2013-03-20", "end": "2013-05-01"}}}}, "overlap"),
        ({"split": {"parts": {"train": {"start": "2013-02-01", "end": "2013-01-01"}, "valid": {"start": "2013-03-01", "end": "2013-04-01"}}}}, "ends before"),
        (in_space(), "choices, or low and high"),
        (in_space(low=2, high=1), "lies between"),
        (in_space(low=0, high=1, log=True), "logarithmic"),
        ({"search": {"space": {"x": {"low": 0.1, "high": 1.0}}}}, "grid needs a step"),
        ({"search": {"space": {"x": [1, 2]}, "fixed": {"x": 1}}}, "both fixed and searched"),
        ({"baselines": [{"name": "b", "kind": "history_rate"}]}, "has a column"),
        ({"gate": [{"metric": "auc"}]}, "needs one of"),
        ({"gate": [{"metric": "rmse", "at_most": 1}]}, "not reported"),
        ({"baselines": [], "gate": [{"metric": "auc", "better_than_baselines_by": 0}]}, "there are none"),
        ({"taget": "late"}, "taget"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_contradiction_is_refused_and_named(change, says):
    with pytest.raises(InvalidModelSpec) as refusal:
        make_spec(**change)

    assert says in " ".join(refusal.value.sentences())


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "= 3"), ("a.yaml", "a: [1"), ("a.yaml", "- 1"), ("a.json", "{}"), ("a.toml", None)]
)
def test_file_that_is_no_specification_is_refused(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(InvalidModelSpec):
        load(tmp_path / name)


@pytest.mark.parametrize(
    "promotion", [{"min_gain": -0.1}, {"certainty": 95}, {"min_rows": 0}, {"max_log_loss_increase": -1}]
)
def test_a_promotion_that_lets_the_worse_one_win_is_refused(promotion):
    with pytest.raises(InvalidModelSpec):
        make_spec(promotion=promotion)


def test_what_a_promotion_takes_is_part_of_the_specification():
    strict = make_spec(promotion={"min_gain": 0.002})

    assert strict.promotion.min_gain == 0.002
    assert strict.digest != make_spec().digest
    assert from_mapping(strict.describe()) == strict
