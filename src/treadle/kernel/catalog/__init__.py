"""What there is and how it hangs together: artifacts, runs, refs, lineage, evidence, by project."""

from treadle.kernel.catalog.artifacts import ArtifactRows
from treadle.kernel.catalog.errors import ArtifactNotFound, EpochMoved, RefNotFound, RefProtected, RunNotFound
from treadle.kernel.catalog.evidence import EvidenceRows
from treadle.kernel.catalog.lineage import LineageRows
from treadle.kernel.catalog.records import Edge, Evidence, Ref, RefMove, Run
from treadle.kernel.catalog.refs import Refs
from treadle.kernel.catalog.runs import RunRows

__all__ = [
    "ArtifactNotFound",
    "ArtifactRows",
    "Edge",
    "EpochMoved",
    "Evidence",
    "EvidenceRows",
    "LineageRows",
    "Ref",
    "RefMove",
    "RefNotFound",
    "RefProtected",
    "Refs",
    "Run",
    "RunNotFound",
    "RunRows",
]
