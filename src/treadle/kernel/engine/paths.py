"""The place of a step in its run: `retrain/fit[learning_rate=0.1]`, stable when the pipeline is edited.

A path is made of the pipeline's name, the names of nested pipelines, and the step's name. A mapped element adds its
item in brackets, not its position, so that inserting an item renames nobody. Plain calls of one step in one pipeline
run are told apart by `#2`, `#3` … in the order of the calls, as are equal items of one map. A step that moved to
another place is still found by its key, so the numbers only decide what is *compared* on resume, never what is reused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from treadle.kernel.engine.values import NotAParameter, canonical

MAX_ITEM_LETTERS = 48


class Places:
    """Hands out paths below one pipeline run, each once."""

    __slots__ = ("_prefix", "_taken")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._taken: dict[str, int] = {}

    def next(self, name: str, item: str = "") -> str:
        """The path of the next call of `name`; `item` is the text of a mapped element, or empty."""
        stem = f"{self._prefix}/{name}{item}"
        count = self._taken.get(stem, 0) + 1
        self._taken[stem] = count
        return stem if count == 1 else f"{stem}#{count}"


def is_at(path: str, wanted: str) -> bool:
    """Whether a path is the wanted one: given in full, or as the step's name with or without item and number."""
    if path == wanted or path.startswith(wanted + "/"):
        return True
    below = path.partition("/")[2]
    last = below.split("[")[0].rpartition("/")[2] + below[len(below.split("[")[0]) :]
    return wanted in (below, last, last.split("[")[0].split("#")[0])


def item_text(items: Mapping[str, Any]) -> str:
    """`[learning_rate=0.1,depth=3]` for the arguments that vary over a map."""
    return "[" + ",".join(f"{name}={_short(value)}" for name, value in items.items()) + "]"


def _short(value: Any) -> str:
    digest = getattr(value, "digest", None) if type(value).__name__ != "ndarray" else None
    if isinstance(digest, str) and digest.startswith("sha256:"):
        return digest[7:19]
    if isinstance(value, str):
        text = value
    elif isinstance(value, (bool, int, float)) or value is None:
        text = repr(value)
    else:
        try:
            text = canonical(value).decode()
        except NotAParameter:
            return type(value).__name__
    if len(text) > MAX_ITEM_LETTERS or any(letter in text for letter in "/[],#\n"):
        mark = hashlib.sha256(text.encode()).hexdigest()[:12]
        clean = "".join(letter for letter in text if letter.isalnum() or letter in "-_.:")
        return f"{clean[:24]}~{mark}"
    return text
