"""What a step's code is: its fingerprint, and the bundle that carries it to where it runs."""

from treadle.kernel.engine.code.explaining import explain
from treadle.kernel.engine.code.fingerprint import fingerprint
from treadle.kernel.engine.code.records import CodeBundle, CodeFingerprint

__all__ = ["CodeBundle", "CodeFingerprint", "explain", "fingerprint"]
