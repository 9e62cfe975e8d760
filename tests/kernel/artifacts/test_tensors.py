"""Weights of PyTorch come back bit for bit, in a file that other tools read. Needs torch, which no extra of ours installs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from treadle.kernel.artifacts import Artifacts, BlobCorrupt, LocalBlobs, NotStorable

torch: Any = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path))


def weights() -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "b.weight": torch.randn(3, 4),
        "a.bias": torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
        "steps": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
    }


def test_a_state_dict_comes_back(artifacts: Artifacts) -> None:
    artifact = artifacts.put(weights())
    back = artifacts.load(artifact)

    assert artifact.codec == "tensors/safetensors"
    assert back.keys() == weights().keys()
    for name, tensor in weights().items():
        assert back[name].dtype == tensor.dtype
        assert back[name].shape == tensor.shape
        assert torch.equal(back[name].nan_to_num(), tensor.nan_to_num())
    assert artifacts.verify(artifact, deep=True) is None


def test_layout_and_order_are_no_identity(artifacts: Artifacts) -> None:
    given = weights()
    turned = {
        name: given[name].t().contiguous().t() if given[name].ndim == 2 else given[name] for name in reversed(given)
    }
    assert artifacts.digest(turned) == artifacts.digest(given)
    assert artifacts.digest({**given, "steps": torch.tensor(8)}) != artifacts.digest(given)


def test_a_state_dict_of_a_module_and_a_single_tensor_come_back(artifacts: Artifacts) -> None:
    module = torch.nn.Linear(2, 3)
    back = artifacts.load(artifacts.put(module.state_dict()))
    torch.nn.Linear(2, 3).load_state_dict(back)
    single = torch.arange(3.0)
    assert torch.equal(artifacts.load(artifacts.put(single)), single)


def test_a_module_is_refused_with_a_way_out(artifacts: Artifacts) -> None:
    with pytest.raises(NotStorable) as refusal:
        artifacts.put(torch.nn.Linear(2, 3))
    assert "state_dict()" in refusal.value.fix


def test_torn_tensors_are_refused(artifacts: Artifacts) -> None:
    artifact = artifacts.put(weights())
    assert artifact.inline is not None
    with pytest.raises(BlobCorrupt):
        artifacts.load(dataclasses.replace(artifact, inline=artifact.inline[:40]))
