"""The rules of names and values, as the newest MLflow has them: what it refuses is refused here, in the words that its
clients look for.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import Any

from treadle.systems.train.tracking.errors import TrackingInvalid

MAX_METRICS_PER_BATCH = 1000
MAX_PARAMS_PER_BATCH = 100
MAX_ENTRIES_PER_BATCH = 1000
MAX_KEY_LENGTH = 250
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
MAX_EXPERIMENT_NAME_LENGTH = 500
MAX_EXPERIMENT_TAG_LENGTH = 20_000
MAX_LOCATION_LENGTH = 2048
MAX_CUSTOM_VIEWS = 50
GREATEST = 1.7976931348623157e308
"""What an infinity is kept and answered as."""

_VIEW = "mlflow.customView.view"
_NAME = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_CHARACTERS = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
_MODEL_CHARACTERS = ("/", ":", ".", "%", '"', "'")


def shown(value: Any) -> str:
    """A value as messages show it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def refused(path: str, value: Any, why: str = "") -> TrackingInvalid:
    """The error for a value that cannot be."""
    return TrackingInvalid(f"Invalid value {shown(value)} for parameter '{path}' supplied{f': {why}' if why else '.'}")


def check_name(name: str, path: str) -> None:
    """A name of a metric, a parameter or a tag: of plain characters, and no path that leads elsewhere."""
    if not _NAME.fullmatch(name):
        raise refused(path, name, _CHARACTERS)
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        raise refused(
            path,
            name,
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
            f" This name would resolve to {plain!r}",
        )


def check_length(what: str, limit: int, value: str) -> None:
    if len(value) > limit:
        raise TrackingInvalid(f"'{what}' exceeds the maximum length of {limit} characters")


def check_metric_name(name: str, path: str = "") -> None:
    check_name(name, f"{path}.name" if path else "name")
    check_length("Metric name", MAX_KEY_LENGTH, name)


def check_time(at_ms: int, key: str, value: float, path: str = "") -> None:
    if at_ms < 0:
        raise refused(
            f"{path}.timestamp" if path else "timestamp",
            at_ms,
            f"metric '{key}' (value={value}). Timestamp must be a nonnegative long (64-bit integer) ",
        )


def checked_param(key: str, value: str, path: str = "") -> str:
    """The value as it is kept: one that is too long is cut."""
    check_name(key, f"{path}.key" if path else "key")
    check_length("Param key", MAX_KEY_LENGTH, key)
    return value[:MAX_PARAM_LENGTH]


def checked_tag(key: str, value: str, path: str = "") -> str:
    """The value as it is kept: one that is too long is cut."""
    where = f"{path}.key" if path else "key"
    check_name(key, where)
    check_length(where, MAX_KEY_LENGTH, key)
    return value[:MAX_TAG_LENGTH]


def check_experiment_tag(key: str, value: str) -> None:
    check_name(key, "key")
    check_length("key", MAX_KEY_LENGTH, key)
    check_length("value", MAX_EXPERIMENT_TAG_LENGTH, value)


def is_view(key: str) -> bool:
    """Whether a tag is a view of the runs of its experiment, as the pages of MLflow keep it."""
    return key.startswith(_VIEW)


def check_views(keys: Iterable[str], experiment: int | None = None) -> None:
    """How many views an experiment may have."""
    if sum(map(is_view, keys)) > MAX_CUSTOM_VIEWS:
        where = "" if experiment is None else f" for experiment {experiment}"
        raise TrackingInvalid(
            f"Unable to create another custom view{where}; the maximum number of custom views per experiment is "
            f"{MAX_CUSTOM_VIEWS}. Delete an existing custom view before creating a new one."
        )


def check_experiment_name(name: str) -> None:
    if not name:
        raise TrackingInvalid(f"Invalid experiment name: '{name}'")
    check_length("name", MAX_EXPERIMENT_NAME_LENGTH, name)


def check_location(location: str) -> None:
    """Where a client says that its artifacts shall go. Our server keeps the text and opens nothing there."""
    if "#" in location or ";" in location.partition("?")[0]:
        raise TrackingInvalid("'artifact_location' URL can't include fragments or params.")
    if ".." in location.partition("?")[2]:
        raise TrackingInvalid("Invalid query string")
    if location.startswith("runs:"):
        raise TrackingInvalid(f"Artifact location cannot be a runs:/ URI. Given: '{location}'")
    if len(location) > MAX_LOCATION_LENGTH:
        raise TrackingInvalid(
            "Invalid artifact path length. The length of the artifact path cannot be greater than "
            f"{MAX_LOCATION_LENGTH} characters. To configure this limit, please set the "
            "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable."
        )


def check_run_id(run: str) -> None:
    if not _RUN_ID.fullmatch(run):
        raise refused("run_id", run)


def check_model_name(name: str) -> None:
    if not name or any(bad in name for bad in _MODEL_CHARACTERS):
        raise TrackingInvalid(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {_MODEL_CHARACTERS}"
        )


def check_batch(metrics: int, params: int, tags: int) -> None:
    """How much one batch may hold."""
    _check_count("metrics", MAX_METRICS_PER_BATCH, metrics)
    _check_count("params", MAX_PARAMS_PER_BATCH, params)
    _check_count("tags", MAX_PARAMS_PER_BATCH, tags)
    _check_count("metrics, params, and tags", MAX_ENTRIES_PER_BATCH, metrics + params + tags)


def _check_count(what: str, limit: int, count: int) -> None:
    if count > limit:
        raise TrackingInvalid(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
            f"Please split up {what} across multiple requests and try again."
        )


def check_each_once(keys: Sequence[str]) -> None:
    """Each parameter at most once in a batch."""
    if len(set(keys)) == len(keys):
        return
    seen: set[str] = set()
    twice = [key for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    raise TrackingInvalid(
        f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one param "
        "value per param key."
    )


def experiment_number(experiment: str) -> int:
    """The number of an experiment as clients write it; nothing stands for the first, Default."""
    try:
        return int(experiment or "0")
    except ValueError:
        raise TrackingInvalid(f"Invalid experiment ID '{experiment}'. Experiment ID must be a valid integer.") from None


def experiment_numbers(experiments: Iterable[str]) -> list[int]:
    return [experiment_number(experiment) for experiment in experiments]
