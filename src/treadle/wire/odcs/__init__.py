"""ODCS v3 data contracts: YAML text to records and back. Pure; no I/O."""

from treadle.wire.odcs.decode import decode
from treadle.wire.odcs.encode import encode
from treadle.wire.odcs.errors import InvalidContract
from treadle.wire.odcs.positions import Unreadable
from treadle.wire.odcs.records import (
    Contract,
    CustomProperty,
    Description,
    Item,
    Member,
    Property,
    Quality,
    Relationship,
    SchemaObject,
    ServiceLevel,
    Team,
    TypeOptions,
)
from treadle.wire.odcs.sense import ENGINE, implementation_of, metric_of, reference_of

__all__ = [
    "ENGINE",
    "Contract",
    "CustomProperty",
    "Description",
    "InvalidContract",
    "Item",
    "Member",
    "Property",
    "Quality",
    "Relationship",
    "SchemaObject",
    "ServiceLevel",
    "Team",
    "TypeOptions",
    "Unreadable",
    "decode",
    "encode",
    "implementation_of",
    "metric_of",
    "reference_of",
]
