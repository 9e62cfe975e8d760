"""What the catalogue of features says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureProfile:
    """What the newest values look like, from a sample of the entities that are online."""

    entities: int
    nulls: int
    least: Any = None
    greatest: Any = None
    mean: float | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEntry:
    """One feature of one view, and who uses it. `models` are those trained from a service that names the feature, and
    that take it as an input; `importance` is what such a version carries of it (`reference={"importance": {...}}`)."""

    feature: str
    view: str
    dataset: str | None
    description: str
    owner: str
    unit: str
    made: str
    """How it is made: a column or expression, a window, or on demand."""
    type: str | None
    """Of its values, where it is online."""
    services: Sequence[str]
    training_sets: Sequence[str]
    models: Sequence[str]
    endpoints: Sequence[str]
    importance: Mapping[str, float]
    online_until: datetime | None
    """Its values are exact as of this moment; None where it is not online."""
    online_version: int | None
    landed_version: int | None
    landed_at: datetime | None
    """When the dataset's newest snapshot was recorded."""

    @property
    def is_used(self) -> bool:
        """Whether a service, a training set or a model takes it."""
        return bool(self.services or self.training_sets or self.models)

    @property
    def is_behind(self) -> bool:
        """Whether rows have landed that are not online yet."""
        return self.online_version is not None and (self.landed_version or 0) > self.online_version


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFeatures:
    """Asks for features. text: in the name, view, description, owner or dataset, every word of it. only: `unused`, those that
    nothing takes; `stale`, those online that lack landings, or whose values are older than `older_than_s`."""

    text: str = ""
    owner: str | None = None
    view: str | None = None
    only: str | None = None
    older_than_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewNamed:
    """A feature view, by name."""

    view: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePage:
    """A view's page."""

    view: str
    features: Sequence[FeatureEntry]
    profiles: Mapping[str, FeatureProfile]
    markdown: str
    html: str
