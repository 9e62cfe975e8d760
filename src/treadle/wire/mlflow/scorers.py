"""Scorers as MLflow's protocol writes them."""

from __future__ import annotations

from typing import Any, Protocol


class ScorerLike(Protocol):
    """A version of a scorer, whoever keeps it."""

    @property
    def experiment(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def scorer(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def serialized(self) -> str: ...
    @property
    def created_ms(self) -> int: ...


def scorer_of(found: ScorerLike) -> dict[str, Any]:
    """A version of a scorer as lists carry it."""
    return {
        "experiment_id": int(found.experiment),
        "scorer_name": found.name,
        "scorer_version": found.version,
        "serialized_scorer": found.serialized,
        "creation_time": found.created_ms,
        "scorer_id": found.scorer,
    }


def registered(found: ScorerLike) -> dict[str, Any]:
    """A version of a scorer as the answer to its registration."""
    return {
        "version": found.version,
        "scorer_id": found.scorer,
        "experiment_id": found.experiment,
        "name": found.name,
        "serialized_scorer": found.serialized,
        "creation_time": found.created_ms,
    }
