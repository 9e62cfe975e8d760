"""Several named members in one run of bytes: a zip that is the same every time it is made.

Not compressed, sorted by name, all times at the start of the zip calendar. Models with a native text and a little state of their
own are stored so, and can be opened with any zip tool.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from treadle.kernel.artifacts.errors import BlobCorrupt

_TIME = (1980, 1, 1, 0, 0, 0)


def pack(members: Mapping[str, bytes]) -> bytes:
    """The bundle; equal members give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            bundle.writestr(entry, members[name])
    return out.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The members by name. Raises BlobCorrupt when a checksum fails."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            return {name: bundle.read(name) for name in bundle.namelist()}
    except (zipfile.BadZipFile, OSError) as problem:
        raise BlobCorrupt(
            "A stored bundle cannot be read.", why=str(problem), fix="Find all damaged artifacts with: treadle doctor"
        ) from problem
