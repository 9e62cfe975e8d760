"""Which file system a folder is on. SQLite's locks are not to be trusted on one that several hosts share."""

from __future__ import annotations

import sys
from pathlib import Path

from treadle.kernel.store.errors import NetworkFileSystem

_SHARED = {
    "afs", "afpfs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2", "gpfs", "lustre",
    "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "webdav",
}  # fmt: skip


def refuse_network_file_system(folder: Path) -> None:
    """Raises NetworkFileSystem, by name, when the folder is on a file system that other hosts share."""
    kind = file_system_of(folder)
    if kind in _SHARED:
        raise NetworkFileSystem(
            f"{folder} is on a network file system ({kind}).",
            why="An embedded store there would be corrupted sooner or later: its locks do not hold between hosts.",
            fix="Name a local folder with TREADLE_HOME, or a PostgreSQL server with TREADLE_STORE.",
        )


def file_system_of(folder: Path) -> str:
    """The type of the file system that holds the folder (`ext4`, `nfs4`), or an empty text when nobody says."""
    mounts = _linux_mounts() if sys.platform.startswith("linux") else _other_mounts()
    resolved = str(folder.resolve())
    best, kind = "", ""
    for point, found in mounts:
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def _linux_mounts() -> list[tuple[str, str]]:
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 4 and after:
            mounts.append((fields[4].replace("\\040", " "), after.split()[0]))
    return mounts


def _other_mounts() -> list[tuple[str, str]]:
    import psutil

    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
