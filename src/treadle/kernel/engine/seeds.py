"""Seeds are derived from a run's seed and a step's path, so that the order in which steps run changes nothing."""

from __future__ import annotations

import hashlib
import random
import sys


def derive(run_seed: int, path: str) -> int:
    """A seed of 63 bits for the step at `path`: not negative, fits a signed BIGINT and `numpy.random.default_rng`.

    The first 8 bytes of sha256 over seed and path, with the sign bit cleared. Equal arguments give equal seeds on every
    machine and version.
    """
    return _hashed(run_seed, path) & 0x7FFF_FFFF_FFFF_FFFF


def derive32(run_seed: int, path: str) -> int:
    """A seed of 32 bits for the step at `path`, for what takes no wider one (`numpy.random.seed`, scikit-learn).

    It is the low half of `derive`'s.
    """
    return _hashed(run_seed, path) & 0xFFFF_FFFF


def seed_everything(seed: int) -> tuple[str, ...]:
    """Seeds the global generators of `random` and, where they are already imported, of NumPy and PyTorch.

    Answers the names of the generators that were seeded. Nothing is imported: a step that imports NumPy later starts
    from NumPy's own fresh entropy unless it passes its seed on, which is the better habit anyway.
    """
    random.seed(seed)
    seeded = ["random"]
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        numpy.random.seed(seed & 0xFFFF_FFFF)
        seeded.append("numpy")
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(seed)
        seeded.append("torch")
    return tuple(seeded)


def _hashed(run_seed: int, path: str) -> int:
    return int.from_bytes(hashlib.sha256(f"treadle seed\0{run_seed}\0{path}".encode()).digest()[:8], "big")
