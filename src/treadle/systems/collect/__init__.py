"""Collect: data comes in. Connectors bring batches, each landing is an immutable snapshot of a dataset.

The names are handed out lazily, since most of them stand on Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.systems.collect.ports import GateSession, Judged, LandingGate, Settled, Source
    from treadle.systems.collect.reading import Reading
    from treadle.systems.collect.records import CreateDataset, LandFiles, Landing, NamedDataset
    from treadle.systems.collect.service import Datasets
    from treadle.systems.collect.sources import FileSource, FrameSource

_HOME_OF = {
    "CreateDataset": "records",
    "Datasets": "service",
    "FileSource": "sources",
    "FrameSource": "sources",
    "GateSession": "ports",
    "Judged": "ports",
    "LandFiles": "records",
    "Landing": "records",
    "LandingGate": "ports",
    "NamedDataset": "records",
    "Reading": "reading",
    "Settled": "ports",
    "Source": "ports",
}

__all__ = [
    "CreateDataset",
    "Datasets",
    "FileSource",
    "FrameSource",
    "GateSession",
    "Judged",
    "LandFiles",
    "Landing",
    "LandingGate",
    "NamedDataset",
    "Reading",
    "Settled",
    "Source",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
