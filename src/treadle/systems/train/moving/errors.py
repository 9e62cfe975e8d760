"""What can go wrong when a store is moved.

InvalidInput
├── NoMlflowStore               nothing that MLflow writes is at this address
├── LocationClosed              files are not below a folder that the operator named
└── UnreadableStore             the store holds something that cannot be read
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class NoMlflowStore(InvalidInput):
    code = "moving.no_mlflow_store"


class LocationClosed(InvalidInput):
    code = "moving.location_closed"


class UnreadableStore(InvalidInput):
    code = "moving.unreadable_store"
