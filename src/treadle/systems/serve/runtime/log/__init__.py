"""The prediction log: append-only segments of framed, checksummed records, one folder for each server process."""

from treadle.systems.serve.runtime.log.reader import LoggedCall, Position, SegmentReader, find_call, segments_of
from treadle.systems.serve.runtime.log.records import Call, Context, Keyed, LoggedColumn
from treadle.systems.serve.runtime.log.writer import LogFigures, PredictionLog

__all__ = [
    "Call",
    "Context",
    "Keyed",
    "LogFigures",
    "LoggedCall",
    "LoggedColumn",
    "Position",
    "PredictionLog",
    "SegmentReader",
    "find_call",
    "segments_of",
]
