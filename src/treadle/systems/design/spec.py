"""Model specifications: what a model is for, what goes in, how it is judged, and what is tried.

A specification is data: written in Python, TOML or YAML, the same either way, with a digest. What is tried
(`candidates.py`), what it is trained and judged on (`splits.py`), what it must beat (`baselines.py`) and what its card
says (`card.py`) all follow from it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from treadle.ground import digests
from treadle.ground.errors import did_you_mean
from treadle.systems.design.errors import InvalidModelSpec

Task = Literal["binary", "multiclass", "regression"]
InputType = Literal["number", "category", "boolean", "time", "text"]
Direction = Literal["higher", "lower"]

DIRECTIONS: dict[str, Direction] = {
    "auc": "higher",
    "average_precision": "higher",
    "accuracy": "higher",
    "balanced_accuracy": "higher",
    "f1": "higher",
    "precision": "higher",
    "recall": "higher",
    "r2": "higher",
    "log_loss": "lower",
    "brier": "lower",
    "calibration_error": "lower",
    "rmse": "lower",
    "mae": "lower",
}
"""Which way a metric is better. Others say it themselves (`direction`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of the model."""

    name: str
    type: InputType
    unit: str = ""
    description: str = ""
    required: bool = False
    """Whether a prediction without it is refused; else null is a value like any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How models are compared."""

    name: str
    direction: Direction | None = None
    split: str = "valid"
    """The part of the time split on which candidates are ranked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of event time, `[start, end)`. A date is midnight UTC.

    known_by: only rows whose label was known by then may be used; the end of the part by default, and no limit for
    the last one, which is judged when all truth has come.
    """

    start: datetime
    end: datetime
    known_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSplit:
    """Parts by name, in the order of time; `time` and `known_at` are columns of the training set."""

    parts: Mapping[str, Part]
    time: str = "event_at"
    known_at: str = "known_at"

    def ending(self, moment: datetime) -> TimeSplit:
        """The same split at a later (or earlier) time: the last part ends at `moment`.

        Every part keeps its length but the first, which begins where it began and grows: what is trained on is all that
        there is by then. Raises InvalidModelSpec when the first part would be empty.
        """
        shift = moment - list(self.parts.values())[-1].end
        first = next(iter(self.parts))
        parts = {name: _shifted(part, shift, keeps_start=name == first) for name, part in self.parts.items()}
        _claim(parts[first].start < parts[first].end, f"A split that ends at {moment.isoformat()} leaves nothing for {first!r}.")  # fmt: skip
        return replace(self, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One parameter to try: choices, or numbers from `low` to `high` (whole ones when both are), in steps or not."""

    choices: Sequence[str | float | int | bool | None] = ()
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    log: bool = False

    def __post_init__(self) -> None:
        _freeze(self, "choices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is tried. `grid` takes every combination, `random` so many of them as `candidates` says."""

    space: Mapping[str, Dimension] = field(default_factory=dict)
    sampling: Literal["grid", "random"] = "grid"
    candidates: int = 20
    fixed: Mapping[str, str | float | int | bool | None] = field(default_factory=dict)
    """Parameters that every candidate has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a model must beat; see `baselines.py` for the kinds and their parts."""

    name: str
    kind: Literal["base_rate", "history_rate"]
    by: Sequence[str] = ()
    column: str | None = None
    count: str | None = None
    weight: float = 20.0

    def __post_init__(self) -> None:
        _freeze(self, "by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One condition of the gate, on a metric of a part: a bound, or a distance to the best baseline."""

    metric: str
    split: str = "test"
    at_least: float | None = None
    at_most: float | None = None
    better_than_baselines_by: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What it takes to replace the champion, on the rows that both have scored; the words are those of a gate's policy.

    min_gain: in AUC. must_be_certain: the whole interval of the difference lies above zero. max_log_loss_increase: over
    the champion's.
    """

    min_rows: int = 500
    min_gain: float = 0.0
    certainty: float = 0.95
    must_be_certain: bool = True
    max_log_loss_increase: float = 0.0
    max_calibration_error: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The design of a model. Raises InvalidModelSpec when made of parts that contradict each other."""

    name: str
    task: Task
    target: str
    inputs: Sequence[Input]
    metric: Metric
    split: TimeSplit
    search: Search = field(default_factory=Search)
    seeds: Sequence[int] = (0,)
    metrics: Sequence[str] = ()
    """Further metrics to report."""
    baselines: Sequence[Baseline] = ()
    gate: Sequence[Threshold] = ()
    promotion: Promotion = field(default_factory=Promotion)
    description: str = ""
    owner: str = ""
    intended_use: str = ""
    limitations: Sequence[str] = ()

    def __post_init__(self) -> None:
        _freeze(self, "inputs", "seeds", "metrics", "baselines", "gate", "limitations")
        _check(self)

    @property
    def direction(self) -> Direction:
        """Which way the metric is better."""
        direction = self.metric.direction or DIRECTIONS.get(self.metric.name)
        assert direction is not None
        return direction

    def describe(self) -> dict[str, Any]:
        """The specification as JSON-able data; `from_mapping` reads it again."""
        return as_json(self)

    @property
    def digest(self) -> str:
        """The digest of the whole specification."""
        return digests.of_json(self.describe())


def as_json(record: object) -> dict[str, Any]:
    """A record as JSON-able data: sequences are lists, times are ISO 8601, what is no number is None."""
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    return content


def _shifted(part: Part, shift: timedelta, *, keeps_start: bool) -> Part:
    return Part(
        start=part.start if keeps_start else part.start + shift,
        end=part.end + shift,
        known_by=None if part.known_by is None else part.known_by + shift,
    )


def _freeze(record: object, *fields: str) -> None:
    """Lists become tuples, so that a specification reads the same from Python, TOML and YAML, and stays as it is."""
    for name in fields:
        object.__setattr__(record, name, tuple(getattr(record, name)))


def from_mapping(content: Mapping[str, Any]) -> ModelSpec:
    """The specification that a mapping describes. Raises InvalidModelSpec with the place of what does not fit.

    Shorthands: an input may be `name = "type"`, a dimension a list of choices, a metric its name.
    """
    known = ModelSpec.__dataclass_fields__
    for key in content:
        if key not in known:
            raise InvalidModelSpec(f"A model spec has no {key!r}.", fix=did_you_mean(key, known))
    try:
        return msgspec.convert(_full(content), ModelSpec, strict=True)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InvalidModelSpec):
            raise error.__cause__ from None
        raise InvalidModelSpec(
            "The model spec does not fit its form.", why=str(error), fix="Mend the place that is named."
        ) from error


def load(path: Path) -> ModelSpec:
    """The specification in a .toml, .yaml or .yml file. Raises InvalidModelSpec."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidModelSpec(f"{path.name} cannot be read.", why=str(error.strerror)) from error
    if path.suffix == ".toml":
        try:
            return from_mapping(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InvalidModelSpec(f"{path.name} is no TOML.", why=str(error)) from error
    if path.suffix in (".yaml", ".yml"):
        return from_mapping(_yaml(path.name, text))
    raise InvalidModelSpec(f"{path.name} is neither TOML nor YAML.", fix="Name it .toml, .yaml or .yml.")


def _yaml(name: str, text: str) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidModelSpec(f"{name} is no YAML.", why=str(error)) from error
    if not isinstance(content, dict):
        raise InvalidModelSpec(f"{name} holds no mapping.")
    return content


def _full(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its shorthands written out, and dates as moments."""
    full = dict(content)
    inputs = full.get("inputs")
    if isinstance(inputs, Mapping):
        full["inputs"] = [
            {"name": name, **({"type": given} if isinstance(given, str) else given)} for name, given in inputs.items()
        ]
    if isinstance(full.get("metric"), str):
        full["metric"] = {"name": full["metric"]}
    search = full.get("search")
    if isinstance(search, Mapping) and isinstance(search.get("space"), Mapping):
        space = {
            name: {"choices": given} if isinstance(given, list) else given for name, given in search["space"].items()
        }
        full["search"] = {**search, "space": space}
    split = full.get("split")
    if isinstance(split, Mapping) and isinstance(split.get("parts"), Mapping):
        parts = {name: _moments(part) if isinstance(part, Mapping) else part for name, part in split["parts"].items()}
        full["split"] = {**split, "parts": parts}
    return full


def _moments(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _moment(value) for key, value in part.items()}


def _moment(value: Any) -> Any:
    """A date or a time without a zone is one in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if not isinstance(value, datetime) and hasattr(value, "year"):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _check(spec: ModelSpec) -> None:
    names = [given.name for given in spec.inputs]
    _claim(bool(spec.name) and spec.name.replace("-", "").replace("_", "").isalnum(), f"{spec.name!r} is no name for a model spec.", "Use letters, digits, '_' and '-'.")  # fmt: skip
    _claim(bool(names), "A model spec needs inputs.", "Name the features that go in.")
    _claim(len(set(names)) == len(names), "Two inputs have the same name.", "Name each once.")
    _claim(spec.target not in names, f"The target {spec.target!r} is among the inputs.", "A model that sees its target learns nothing.")  # fmt: skip
    _claim(bool(spec.seeds), "A model spec needs a seed.", "Leave seeds out, or give at least one.")
    _check_split(spec.split)
    _check_metric(spec)
    _check_search(spec.search)
    _check_baselines(spec)
    for threshold in spec.gate:
        _check_threshold(spec, threshold)
    _check_promotion(spec.promotion)


def _claim(holds: bool, otherwise: str, fix: str = "") -> None:
    if not holds:
        raise InvalidModelSpec(otherwise, fix=fix)


def _check_split(split: TimeSplit) -> None:
    _claim(len(split.parts) >= 2, "A time split needs two parts or more.", "Give train and test at least.")
    _claim("train" in split.parts, "A time split needs a part named 'train'.")
    before: tuple[str, Part] | None = None
    for name, part in split.parts.items():
        for moment in (part.start, part.end, part.known_by):
            _claim(moment is None or moment.tzinfo is not None, f"Part {name!r} has a time without a zone.", "Use aware times, or dates.")  # fmt: skip
        _claim(part.start < part.end, f"Part {name!r} ends before it begins.")
        if before is not None:
            _claim(before[1].end <= part.start, f"Parts {before[0]!r} and {name!r} overlap, or are not in order.", "Write the parts in the order of time; a later one must begin where the earlier one has ended.")  # fmt: skip
        before = name, part


def _check_metric(spec: ModelSpec) -> None:
    for name in (spec.metric.name, *spec.metrics):
        known = name in DIRECTIONS or (name == spec.metric.name and spec.metric.direction is not None)
        _claim(known, f"It is not known which way {name!r} is better.", did_you_mean(name, DIRECTIONS) + " For the primary metric, direction = 'higher' or 'lower' says it.")  # fmt: skip
    _claim(spec.metric.split in spec.split.parts, f"Models are ranked on {spec.metric.split!r}, which is no part of the split.", did_you_mean(spec.metric.split, spec.split.parts))  # fmt: skip
    _claim(spec.metric.split != "train", "Models cannot be ranked on what they were trained on.", "Rank them on valid.")


def _check_search(search: Search) -> None:
    for name, dimension in search.space.items():
        is_range = dimension.low is not None and dimension.high is not None
        _claim(
            bool(dimension.choices) != is_range, f"Parameter {name!r} needs choices, or low and high: one of the two."
        )
        _claim(name not in search.fixed, f"Parameter {name!r} is both fixed and searched.")
        if dimension.low is None or dimension.high is None:
            continue
        _claim(dimension.low < dimension.high, f"Parameter {name!r} lies between {dimension.low} and {dimension.high}.")
        _claim(not dimension.log or dimension.low > 0, f"Parameter {name!r} is logarithmic from {dimension.low}.", "Begin above zero.")  # fmt: skip
        _claim(dimension.step is None or dimension.step > 0, f"Parameter {name!r} has a step of {dimension.step}.")
        _claim(not (dimension.log and dimension.step), f"Parameter {name!r} has a step and is logarithmic.", "Give choices instead.")  # fmt: skip
        _claim(search.sampling == "random" or dimension.step is not None, f"A grid needs a step, or choices, for {name!r}.", "Or sample at random.")  # fmt: skip
    _claim(search.sampling == "grid" or search.candidates >= 1, "A random search needs a candidate.")


def _check_baselines(spec: ModelSpec) -> None:
    names = [baseline.name for baseline in spec.baselines]
    _claim(len(set(names)) == len(names), "Two baselines have the same name.", "Name each once.")
    for baseline in spec.baselines:
        is_history = baseline.kind == "history_rate"
        _claim(is_history == (baseline.column is not None), f"Baseline {baseline.name!r} is a {baseline.kind}.", "A history_rate has a column, a base_rate has none.")  # fmt: skip
        _claim(not (is_history and baseline.by), f"Baseline {baseline.name!r} is a history_rate and has groups.")
        _claim(is_history or baseline.count is None, f"Baseline {baseline.name!r} is a base_rate and has a count.")
        _claim(baseline.weight >= 0, f"Baseline {baseline.name!r} has a weight of {baseline.weight}.")
    _claim(not spec.baselines or spec.task != "multiclass", "Baselines are rates; a multiclass task has several.", "Leave them out.")  # fmt: skip


def _check_threshold(spec: ModelSpec, threshold: Threshold) -> None:
    bounds = [threshold.at_least, threshold.at_most, threshold.better_than_baselines_by]
    _claim(sum(bound is not None for bound in bounds) == 1, f"A threshold on {threshold.metric!r} needs one of at_least, at_most and better_than_baselines_by.")  # fmt: skip
    _claim(threshold.split in spec.split.parts, f"The gate looks at {threshold.split!r}, which is no part of the split.", did_you_mean(threshold.split, spec.split.parts))  # fmt: skip
    reported = {spec.metric.name, *spec.metrics}
    _claim(threshold.metric in reported, f"The gate looks at {threshold.metric!r}, which is not reported.", did_you_mean(threshold.metric, reported))  # fmt: skip
    _claim(threshold.better_than_baselines_by is None or bool(spec.baselines), "The gate compares with baselines, and there are none.")  # fmt: skip


def _check_promotion(promotion: Promotion) -> None:
    _claim(promotion.min_rows > 0, f"A promotion on {promotion.min_rows} rows rests on nothing.")
    _claim(0 < promotion.certainty < 1, f"A certainty of {promotion.certainty} cannot be.", "Write a share, such as 0.95.")  # fmt: skip
    for name in ("min_gain", "max_log_loss_increase", "max_calibration_error"):
        _claim(getattr(promotion, name) >= 0, f"A {name} of {getattr(promotion, name)} lets the worse one win.")
