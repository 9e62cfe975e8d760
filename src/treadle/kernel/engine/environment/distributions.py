"""Which distributions are installed, and which of them owns a file, without `importlib.metadata`.

Reading the metadata of 140 distributions costs 0.1 s; their folders' names already say name and version, so a folder is
listed once (0.3 ms) and remembered until its modification time changes.
"""

# os.path: this runs on the way to the first step, and pathlib costs three times as much
# ruff: noqa: PTH110, PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass

import msgspec

_SITE = re.compile(r"^(.*?[/\\](?:site|dist)-packages)(?:[/\\]|$)")

_WELL_KNOWN = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "attr": "attrs",
    "skimage": "scikit-image",
}
"""Where import name and distribution differ: a first guess that the distribution's RECORD must confirm."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution: its normalised name, its version, the folder of its metadata.

    `origin` tells versions apart that are equal by number: a commit, or an archive's hash; it is empty for what came
    from an index. `is_local` marks a folder on this machine, whose version says nothing about its content.
    """

    name: str
    version: str
    folder: str
    origin: str = ""
    is_local: bool = False


_listed: dict[str, tuple[int, dict[str, Distribution]]] = {}
_owners: dict[str, Distribution | None] = {}
_origins: dict[str, tuple[str, bool]] = {}


def normalise(name: str) -> str:
    """The name as the index spells it: lower case, with single hyphens (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    """Name and version of every distribution on `sys.path`, sorted by name; the first on the path wins.

    What a package carries inside itself and puts on the path when it is imported (Ray does) is that package's own affair:
    it would make the environment look another one, depending on what was imported before.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        site = _SITE.match(folder)
        if site is not None and site[1] != folder.rstrip("/\\"):
            continue
        for name, each in in_folder(folder or ".").items():
            found.setdefault(name, each.version)
    return dict(sorted(found.items()))


def in_folder(folder: str) -> dict[str, Distribution]:
    """The distributions whose metadata lies in one folder of `sys.path`, by normalised name. Never raises."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError:
        return {}
    known = _listed.get(folder)
    if known is not None and known[0] == changed:
        return known[1]
    found: dict[str, Distribution] = {}
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        names = []
    for entry_name in names:
        each = _described(folder, entry_name)
        if each is not None:
            found.setdefault(each.name, each)
    _listed[folder] = (changed, found)
    return found


def _described(folder: str, entry_name: str) -> Distribution | None:
    path = os.path.join(folder, entry_name)
    name, _, version = entry_name.rpartition(".")[0].partition("-")
    version = version.partition("-py")[0]
    if not version:
        name, version = _from_metadata(path)
    return Distribution(normalise(name), version, path) if name and version else None


def _from_metadata(path: str) -> tuple[str, str]:
    for file in ("METADATA", "PKG-INFO", ""):
        try:
            with open(os.path.join(path, file) if file else path, encoding="utf-8", errors="replace") as lines:
                head = lines.read(4096)
        except OSError:
            continue
        fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        return fields.get("Name", ""), fields.get("Version", "")
    return "", ""


def site_of(path: str) -> str | None:
    """The folder of installed packages that a file lies in: `…/site-packages`, or a folder of `sys.path` with
    metadata in it (`pip install --target`). None for files of the project."""
    match = _SITE.match(path)
    if match is not None:
        return match[1]
    for folder in sys.path:
        if (
            folder
            and path.startswith(folder + os.sep)
            and any(each.folder.endswith(".dist-info") for each in in_folder(folder).values())
        ):
            return folder
    return None


def owner_of(path: str, site: str) -> Distribution | None:
    """The distribution that installed a file below the folder `site`, or None when none of them lists it.

    Cost: one look-up where import name and distribution agree; else the RECORD files are searched, once per package
    (15 ms over 140 of them).
    """
    relative = os.path.relpath(path, site).replace(os.sep, "/")
    top, _, rest = relative.partition("/")
    package = top if not rest or os.path.exists(os.path.join(site, top, "__init__.py")) else os.path.dirname(relative)
    key = f"{site}\0{package}"
    if key not in _owners:
        _owners[key] = _search(site, relative, top.partition(".")[0])
    return _owners[key]


def _search(site: str, relative: str, top: str) -> Distribution | None:
    here = in_folder(site)
    agreed = here.get(normalise(top))
    guess = here.get(_WELL_KNOWN.get(top, ""))
    ordered = [each for each in (agreed, guess) if each is not None]
    ordered += [each for each in here.values() if each not in ordered]
    for each in ordered:
        if _records(each, relative):
            return _with_origin(each)
    return _with_origin(agreed) if agreed is not None else None


def _records(distribution: Distribution, relative: str) -> bool:
    try:
        with open(os.path.join(distribution.folder, "RECORD"), "rb") as record:
            content = record.read()
    except OSError:
        return False
    line = relative.encode() + b","
    return content.startswith(line) or b"\n" + line in content


def _with_origin(distribution: Distribution) -> Distribution:
    known = _origins.get(distribution.folder)
    if known is None:
        known = _origins[distribution.folder] = _read_origin(distribution.folder)
    origin, is_local = known
    if not origin and not is_local:
        return distribution
    return Distribution(distribution.name, distribution.version, distribution.folder, origin, is_local)


def _read_origin(folder: str) -> tuple[str, bool]:
    """Where a distribution came from, by its `direct_url.json` (PEP 610): (commit or hash, is a local folder)."""
    try:
        with open(os.path.join(folder, "direct_url.json"), "rb") as file:
            url = msgspec.json.decode(file.read(), type=dict[str, object])
    except (OSError, msgspec.DecodeError):
        return "", False
    commit = url.get("vcs_info")
    if isinstance(commit, dict):
        return str(commit.get("commit_id", "")), False
    archive = url.get("archive_info")
    if isinstance(archive, dict):
        hashes = archive.get("hashes")
        return str(sorted(hashes.items())) if isinstance(hashes, dict) else str(archive.get("hash", "")), False
    return "", "dir_info" in url
