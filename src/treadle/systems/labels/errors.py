"""The names of what can go wrong with labels.

InvalidInput
├── InvalidLabelSchema          the questions contradict themselves
├── InvalidAnswer               an answer does not fit its question
└── NotATask                    a row cannot become a task
NotFound
├── LabelProjectNotFound
└── LabelTaskNotFound
Conflict
├── LabelProjectExists          the name is taken by another schema
└── TaskReviewed                the task has been decided; annotating it has no effect any more
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound


class InvalidLabelSchema(InvalidInput):
    code = "labels.invalid_schema"


class InvalidAnswer(InvalidInput):
    code = "labels.invalid_answer"


class NotATask(InvalidInput):
    code = "labels.not_a_task"


class InvalidTruth(InvalidInput):
    code = "labels.invalid_truth"


class LabelProjectNotFound(NotFound):
    code = "labels.project_not_found"


class LabelTaskNotFound(NotFound):
    code = "labels.task_not_found"


class LabelProjectExists(Conflict):
    code = "labels.project_exists"


class TaskReviewed(Conflict):
    code = "labels.task_reviewed"
