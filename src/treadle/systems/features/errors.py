"""The names of what can go wrong with features.

InvalidInput
├── InvalidFeatureView          a definition contradicts itself or lacks a part
│   └── NeverKnown              a view does not say when its values were known
├── LooksAcrossRows             an expression mixes rows, so it could see the future
├── MissingColumn               a frame lacks a column that a definition names
├── TimeWithoutZone             a time column is no moment: naive, a date, or text
├── KeyMismatch                 an entity's key and a view's key cannot be compared
├── NotInSql                    a definition has no SQL that surely means the same
├── DuplicateFeature            two values would land in one column
└── EntityWithoutTime           an entity row does not say as of when
NotFound
├── FeatureViewNotFound         no feature view or service of that name is registered
└── TrainingSetNotFound         no training set of that name is kept
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput, NotFound


class InvalidFeatureView(InvalidInput):
    code = "features.invalid_view"


class NeverKnown(InvalidFeatureView):
    code = "features.never_known"


class LooksAcrossRows(InvalidInput):
    code = "features.looks_across_rows"


class MissingColumn(InvalidInput):
    code = "features.missing_column"


class TimeWithoutZone(InvalidInput):
    code = "features.time_without_zone"


class KeyMismatch(InvalidInput):
    code = "features.key_mismatch"


class DuplicateFeature(InvalidInput):
    code = "features.duplicate"


class NotInSql(InvalidInput):
    code = "features.not_in_sql"


class EntityWithoutTime(InvalidInput):
    code = "features.entity_without_time"


class FeatureViewNotFound(NotFound):
    code = "features.view_not_found"


class TrainingSetNotFound(NotFound):
    code = "features.training_set_not_found"
