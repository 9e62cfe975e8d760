"""What serving asks of the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from treadle.ground.digests import Digest
from treadle.systems.serve.records import EndpointTraffic, LandingKind, ListPredictions, PredictionLine, TrafficOf

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class ServableModel:
    """A registered model version with everything that serving it takes.

    engine: `lightgbm`, `xgboost`, `sklearn` (skops) or `onnx`; content: the bytes of its one file. signature: see
    `runtime.signature.Signature` (`{"inputs": [{"name", "datatype", "nullable", "categories"}], "task", "classes",
    "positive_class", "threshold"}`). probe_rows and probe_scores: rows by column name, and the float64 scores (rows x
    width) that the model gave for them when it was registered. options: see `runtime.engines.EngineOptions`.
    """

    model: str
    version: str
    digest: Digest
    engine: str
    content: bytes
    signature: Mapping[str, Any]
    probe_rows: Sequence[Mapping[str, Any]]
    probe_scores: Sequence[Sequence[float]]
    tolerance: float = 1e-6
    options: Mapping[str, Any] = field(default_factory=dict)


class ModelSource(Protocol):
    """The registry, as serving sees it."""

    def get(self, project: str, model: str, version: str) -> ServableModel:
        """A version by number, alias or `newest`; its `version` is always the number. Raises NotFound."""
        ...


class OfferedService(Protocol):
    """A feature service that is online. features: datatype of the protocol by name; None where it is known only once it is
    computed, empty where no model takes such a value. keys: entity column and datatype."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> Digest: ...
    @property
    def features(self) -> Mapping[str, str | None]: ...
    @property
    def keys(self) -> Sequence[tuple[str, str]]: ...
    @property
    def inputs(self) -> Sequence[str]: ...


class FeatureServices(Protocol):
    """The feature services of a project, as serving sees them."""

    def get(self, project: str, name: str) -> OfferedService:
        """The newest version that is online. Raises NotFound."""
        ...


class PredictionSink(Protocol):
    """Where shipped predictions go."""

    def land(self, endpoint: str, table: pa.Table, landing_id: str, kind: LandingKind = "predictions") -> None:
        """Makes the rows part of the endpoint's dataset of that kind; a landing id that came before changes nothing."""
        ...


class PredictionArchive(Protocol):
    """Shipped predictions, looked up again."""

    def newest(self, wanted: ListPredictions) -> Sequence[PredictionLine]:
        """The newest shipped predictions that are asked for, newest first, `wanted.limit` at most."""
        ...

    def call_of(self, prediction_id: str) -> pa.Table | None:
        """All rows of the call that made a prediction, as they were landed; None when there is no such prediction."""
        ...

    def traffic(self, wanted: TrafficOf) -> EndpointTraffic:
        """How many calls were answered and failed, and how long they took, bucket by bucket."""
        ...
