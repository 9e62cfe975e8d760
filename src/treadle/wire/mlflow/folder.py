"""The files of an `mlruns` folder, the form in which MLflow kept its runs before databases: text <-> plain values.

A run is a folder: `meta.yaml`, one file for each parameter and tag (its whole text is the value), one for each metric with a
line for each point. Nothing here opens a file, and a name that leads out of its folder never becomes a path.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The number of a status in `meta.yaml` -> its word."""
STATUS_NUMBERS = {word: number for number, word in STATUSES.items()}


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A line of a metric's file. `run` stands in the files of logged models alone."""

    at_ms: int
    value: float
    step: int
    run: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


def read_meta(text: str) -> dict[str, Any]:
    """The mapping of a `meta.yaml`. Raises ValueError for anything else."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader, the quick one where there is one
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it is no mapping")
    return found


def write_meta(values: Mapping[str, Any]) -> str:
    """The text of a `meta.yaml`."""
    text: str = yaml.dump(dict(values), Dumper=_Dumper, default_flow_style=False, allow_unicode=True)
    return text


def read_metric(text: str) -> list[MetricLine]:
    """The points of a run's metric, in their order. Raises ValueError for a line that is none."""
    points = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) not in (2, 3, 5):
            raise ValueError(f"{line!r} is no point of a metric")
        dataset = (parts[3], parts[4]) if len(parts) == 5 else (None, None)
        points.append(
            MetricLine(int(parts[0]), float(parts[1]), int(parts[2]) if len(parts) > 2 else 0, None, *dataset)
        )
    return points


def read_model_metric(text: str) -> list[MetricLine]:
    """The points of a logged model's metric, each with the run that measured it. Raises ValueError."""
    points = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) not in (4, 6):
            raise ValueError(f"{line!r} is no point of a model's metric")
        dataset = (parts[4], parts[5]) if len(parts) == 6 else (None, None)
        points.append(MetricLine(int(parts[0]), float(parts[1]), int(parts[2]), parts[3], *dataset))
    return points


def write_metric(points: Iterable[MetricLine]) -> str:
    """The lines of a metric's file."""
    return "".join(
        " ".join(str(part) for part in (point.at_ms, _number(point.value), point.step, point.run) if part is not None)
        + (f" {point.dataset_name} {point.dataset_digest}" if _is_plain(point) else "")
        + "\n"
        for point in points
    )


def _is_plain(point: MetricLine) -> bool:
    """Whether the data set can be said in a line: the form has no way to write a blank."""
    names = (point.dataset_name, point.dataset_digest)
    return all(name is not None and name and not any(letter.isspace() for letter in name) for name in names)


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else repr(value)


def dataset_folder(name: str, digest: str) -> str:
    """The folder of a data set in its experiment."""
    return _md5(name, digest)


def input_folder(source: str, run: str) -> str:
    """The folder of an input in its run; `source` is a data set's folder or a logged model's id."""
    return _md5(source, run)


def _md5(*texts: str) -> str:
    return hashlib.md5("".join(texts).encode(), usedforsecurity=False).hexdigest()


def is_plain_name(name: str) -> bool:
    """Whether a key can be the path of a file below a folder: no step upward, no root, no odd separator."""
    return bool(name) and not name.startswith("/") and all(part not in ("", ".", "..") for part in name.split("/"))
