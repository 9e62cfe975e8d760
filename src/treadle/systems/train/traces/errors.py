"""What can go wrong with traces and what hangs on them. The sentences are those that clients of MLflow know.

NotFound
├── TraceNotFound               there is no such trace, or it has not arrived whole (404)
├── TraceTagNotFound            the trace has no such tag (404)
├── AssessmentNotFound          the trace has no such assessment (404)
├── EvaluationDatasetNotFound   there is no such evaluation dataset (404)
└── ScorerNotFound              there is no such scorer, or no such version of it (404)
InvalidInput
└── TraceInvalid                what came in cannot be recorded (400)
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput, NotFound


class TraceNotFound(NotFound):
    code = "trace.not_found"


class TraceTagNotFound(NotFound):
    code = "trace.tag_not_found"


class AssessmentNotFound(NotFound):
    code = "trace.assessment_not_found"


class EvaluationDatasetNotFound(NotFound):
    code = "evaluation_dataset.not_found"


class ScorerNotFound(NotFound):
    code = "scorer.not_found"


class TraceInvalid(InvalidInput):
    code = "trace.invalid"
