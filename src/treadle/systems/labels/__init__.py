"""Labels: what people say about data, who said it, how far they agree, and what was known when."""

from treadle.systems.labels.records import Agreement, Annotation, LabelProject, LabelTask, NewTask, Verdict
from treadle.systems.labels.schema import LabelSchema, Question
from treadle.systems.labels.service import (
    AddTasks,
    Annotate,
    CreateLabelProject,
    ExportLabels,
    Labels,
    LabelsNamed,
    NextTasks,
    SkipTask,
    StudioDocument,
    TaskNamed,
    TaskPage,
)

__all__ = [
    "AddTasks",
    "Agreement",
    "Annotate",
    "Annotation",
    "CreateLabelProject",
    "ExportLabels",
    "LabelProject",
    "LabelSchema",
    "LabelTask",
    "Labels",
    "LabelsNamed",
    "NewTask",
    "NextTasks",
    "Question",
    "SkipTask",
    "StudioDocument",
    "TaskNamed",
    "TaskPage",
    "Verdict",
]
