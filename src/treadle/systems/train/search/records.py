"""What a search asks, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from treadle.systems.train.tracking.records import Experiment, LoggedModel, TrackedRun

View = Literal["active", "deleted", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRuns:
    """Runs of some experiments, by a filter and in an order, a page at a time.

    columns: what is wanted of each run, such as `metrics.loss`, `params`, `tags.owner`, `inputs`; everything where none
    is named. with_total: also count the runs on all pages. token: a page's `next`.
    """

    experiments: list[str]
    filter: str = ""
    order_by: list[str] = field(default_factory=list)
    view: View = "active"
    limit: int = 1000
    token: str | None = None
    columns: list[str] = field(default_factory=list)
    with_total: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRuns:
    """Runs of some experiments that a filter finds. by: also by the values of a parameter, a tag or an attribute."""

    experiments: list[str]
    filter: str = ""
    view: View = "active"
    by: str = ""
    most: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchExperiments:
    """Experiments, by a filter and in an order, a page at a time."""

    filter: str = ""
    order_by: list[str] = field(default_factory=list)
    view: View = "active"
    limit: int = 1000
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDataset:
    """A data set on which a metric was measured; any digest of it where none is given."""

    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """One term of an order of logged models: an attribute, or `metrics.NAME`, as it was measured on a data set."""

    field: str
    is_ascending: bool = True
    dataset: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLoggedModels:
    """Logged models of some experiments. datasets: metrics count only as measured on one of these."""

    experiments: list[str]
    filter: str = ""
    datasets: list[OnDataset] = field(default_factory=list)
    order_by: list[ModelOrder] = field(default_factory=list)
    limit: int = 100
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs. next: the token of the following page; total: of all pages, where it was asked for."""

    items: list[TrackedRun]
    next: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage:
    items: list[Experiment]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelPage:
    items: list[LoggedModel]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A value, and how many runs have it; None: those that have none."""

    value: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCount:
    """How many runs, and by value where that was asked for: the most frequent first."""

    total: int
    facets: list[Facet] = field(default_factory=list)
