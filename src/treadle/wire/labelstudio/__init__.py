"""Label Studio's formats: tasks and annotations in and out. Pure codecs, no I/O."""

from treadle.wire.labelstudio.codec import read_tasks, write_config, write_tasks
from treadle.wire.labelstudio.errors import NotLabelStudio
from treadle.wire.labelstudio.records import Control, StudioAnnotation, StudioTask

__all__ = [
    "Control",
    "NotLabelStudio",
    "StudioAnnotation",
    "StudioTask",
    "read_tasks",
    "write_config",
    "write_tasks",
]
