"""The client of programs: one, whether the work is done in this process or behind an API."""

from treadle.faces.sdk.client import Client, Transport
from treadle.faces.sdk.embedded import InProcess

__all__ = ["Client", "InProcess", "Transport"]
