"""Reading files that people made: CSV (also packed), JSON lines, Parquet, Arrow; what is broken is named, never skipped."""

from treadle.systems.collect.reading.large import is_large, read_pieces
from treadle.systems.collect.reading.records import Content, OnMalformed, Pieces, Reading
from treadle.systems.collect.reading.times import with_times
from treadle.systems.collect.reading.whole import read_content, read_file

__all__ = [
    "Content",
    "OnMalformed",
    "Pieces",
    "Reading",
    "is_large",
    "read_content",
    "read_file",
    "read_pieces",
    "with_times",
]
