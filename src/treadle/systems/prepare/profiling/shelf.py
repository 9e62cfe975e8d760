"""Where profiles are kept: as artifacts, under the digest of the rows that they are about.

A profile can always be made again from its rows, so one whose bytes are gone or are of an older format is no loss.
"""

from __future__ import annotations

from collections.abc import Iterable

from treadle.ground.clock import Clock, to_micros
from treadle.ground.digests import Digest
from treadle.ground.errors import TreadleError
from treadle.ground.profiling import Profile, decode, encode
from treadle.kernel.artifacts import Artifacts
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.store import Reader, Statements, Store, Transaction

KIND = "profile"

sql = Statements(__package__)


class ProfileShelf:
    """The profiles of a store, by what they are about: a data file's digest or a snapshot's content id."""

    def __init__(self, store: Store, artifacts: Artifacts, clock: Clock) -> None:
        self._store, self._artifacts, self._clock = store, artifacts, clock
        self._rows = ArtifactRows()

    def find(self, project: str, about: Digest) -> Profile | None:
        """The profile, or None when there is none that can be read."""
        with self._store.read() as reader:
            row = reader.find(sql.find_profile, {"project": project, "about": about})
            artifact = None if row is None else self._rows.find(reader, project, row[0])
        if artifact is None:
            return None
        try:
            return decode(str(self._artifacts.load(artifact)).encode())
        except TreadleError:
            return None

    def keep(self, project: str, about: Digest, profile: Profile) -> None:
        """Keeps a profile; one that was there makes way for it."""
        artifact = self._artifacts.put(encode(profile).decode(), kind=KIND)
        now = self._clock()
        values = {"about": about, "digest": artifact.digest, "rows": profile.rows, "recorded_at": to_micros(now)}

        def work(tx: Transaction) -> None:
            self._rows.record(tx, project, [artifact], at=now)
            tx.execute(sql.keep_profile, {"project": project, **values})

        self._store.write(work)


class ProfileRoots:
    """What clean-up must leave: the profiles. Satisfies the port `Roots` of infra."""

    def needed(self, reader: Reader, project: str) -> Iterable[str]:
        """The digests of all profiles of a project."""
        return [str(digest) for (digest,) in reader.all(sql.profile_digests, {"project": project})]
