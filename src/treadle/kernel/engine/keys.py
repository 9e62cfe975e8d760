"""The cache key: one digest over everything that may change what a step computes, kept with its parts.

    key = sha256 of the canonical JSON of [engine schema version, code digest, arguments by name, environment, seed]

An argument is its canonical form, or `{"$input": digest}` for whatever has a digest of its own. So equal content gives
an equal key whoever made it, which is what stops a wave of re-runs where a step made the same bytes as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.kernel.engine.records import SCHEMA_VERSION

_encode = msgspec.json.Encoder(order="sorted").encode


def step_key(code: str, arguments: Mapping[str, Any], environment: Mapping[str, str], seed: int | None) -> str:
    """The digest under which the step's result is known."""
    return "sha256:" + hashlib.sha256(_encode([SCHEMA_VERSION, code, arguments, environment, seed])).hexdigest()


def act_key(name: str, arguments: Mapping[str, Any]) -> str:
    """The digest that tells whether a recorded act was asked with the same arguments."""
    return "sha256:" + hashlib.sha256(_encode([SCHEMA_VERSION, "act", name, arguments])).hexdigest()
