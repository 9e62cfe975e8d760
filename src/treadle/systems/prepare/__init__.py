"""Prepare: a contract says what clean is; rows that are not go to quarantine; trouble becomes an incident.

The names are handed out lazily, since most of them stand on Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.systems.prepare.cleaning.service import Cleanings
    from treadle.systems.prepare.contracts import Contracts
    from treadle.systems.prepare.gate import ContractGate
    from treadle.systems.prepare.incidents import Incidents
    from treadle.systems.prepare.quarantine import QuarantineKeeper

_HOME_OF = {
    "Cleanings": "cleaning.service",
    "ContractGate": "gate",
    "Contracts": "contracts",
    "Incidents": "incidents",
    "QuarantineKeeper": "quarantine",
}

__all__ = ["Cleanings", "ContractGate", "Contracts", "Incidents", "QuarantineKeeper"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
