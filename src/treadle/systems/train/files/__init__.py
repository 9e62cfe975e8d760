"""Files: what lies at which path of a run, a logged model or a trace, and where its bytes are."""

from treadle.systems.train.files.errors import (
    BadFileName,
    FileInTheWay,
    FileNotFound,
    FileSealed,
    PartMissing,
    UploadNotFound,
)
from treadle.systems.train.files.records import FileEntry, OpenedFile, StoredFile
from treadle.systems.train.files.service import Files, Incoming

__all__ = [
    "BadFileName",
    "FileEntry",
    "FileInTheWay",
    "FileNotFound",
    "FileSealed",
    "Files",
    "Incoming",
    "OpenedFile",
    "PartMissing",
    "StoredFile",
    "UploadNotFound",
]
