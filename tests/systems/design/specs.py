"""A specification for the tests to change."""

from __future__ import annotations

from typing import Any

from treadle.systems.design import ModelSpec, from_mapping

FLIGHTS: dict[str, Any] = {
    "name": "late-arrival",
    "task": "binary",
    "target": "late",
    "inputs": {"carrier": "category", "late_rate": {"type": "number", "unit": "share"}},
    "metric": "auc",
    "metrics": ["log_loss", "brier"],
    "split": {
        "parts": {
            "train": {"start": "2013-01-01", "end": "2013-03-01"},
            "valid": {"start": "2013-03-01", "end": "2013-03-16"},
            "test": {"start": "2013-03-16", "end": "2013-04-01"},
        }
    },
    "search": {
        "sampling": "random",
        "candidates": 8,
        "space": {
            "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
            "num_leaves": [15, 31, 63],
            "min_child": {"low": 10, "high": 100, "step": 10},
        },
        "fixed": {"deterministic": True},
    },
    "seeds": [7],
    "baselines": [
        {"name": "carrier", "kind": "base_rate", "by": ["carrier"]},
        {"name": "history", "kind": "history_rate", "column": "late_rate", "count": "n"},
    ],
    "gate": [
        {"metric": "auc", "split": "test", "at_least": 0.6},
        {"metric": "log_loss", "split": "test", "better_than_baselines_by": 0.01},
    ],
    "limitations": ["Flights from New York only."],
}


def make_spec(**changes: Any) -> ModelSpec:
    """The specification of late arrivals, with some parts replaced."""
    return from_mapping({**FLIGHTS, **changes})
