"""MLflow's protocol as it stands on the wire: errors, and records as JSON. Pure codecs, no I/O."""

from treadle.wire.mlflow.errors import ProtocolError, body_of, protocol_error

__all__ = ["ProtocolError", "body_of", "protocol_error"]
