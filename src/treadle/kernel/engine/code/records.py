"""The records of a step's code: what its fingerprint is made of, and the bundle that carries it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from treadle.ground.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFingerprint:
    """What a function reaches, as one digest and as the parts that make it up.

    `parts` maps a name that a person can read (`helper clean_name (text.py)`, `distribution polars 2.1.0`) to the
    digest of that part; the names are sorted. `digest` is the digest of the parts. `widened` says, in words, where the
    code could not be followed and a whole module was taken instead. `files` (absolute paths) and `variables` (names) are
    the declared ones that the code itself reaches, as a constant or by a call with a constant name.
    """

    digest: Digest
    parts: Mapping[str, Digest]
    widened: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBundle:
    """The project's source as it was, in one archive that is the same bytes for the same files.

    `content` is a zip; `manifest` maps each path inside it to the digest of its bytes; `digest` is that of `content`.
    `entry` is the name of the module to import for the function that the bundle was made from, `entry_name` the
    function's qualified name in it, and `modules` maps each module's name to its path inside the archive.
    """

    digest: Digest
    content: bytes
    manifest: Mapping[str, Digest]
    modules: Mapping[str, str]
    entry: str | None = None
    entry_name: str | None = None
