"""Where the artifacts of a run or a logged model lie, as their rows say: the location was given by the server that made them."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.kernel.store import Reader, Statements
from treadle.systems.train.files.errors import ElsewhereStored, OwnerNotFound
from treadle.systems.train.files.names import checked_folder, folder_of_uri, joined

sql = Statements(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """`uri` is the location as clients know it; `folder` is the one of ours behind it, None when another store keeps it."""

    uri: str
    folder: str | None

    def below(self, path: str) -> str:
        """A path of ours below the root. Raises ElsewhereStored."""
        if self.folder is None:
            raise ElsewhereStored(
                f"The artifacts at {self.uri!r} are not kept by this server.",
                why="They lie in a store that clients reach by themselves.",
                fix="Ask that store, or log to an experiment whose artifacts this server keeps.",
                uri=self.uri,
            )
        return joined(self.folder, path)


class ArtifactRoots:
    """Finds roots. Holds nothing: the reader is the caller's."""

    def of_run(self, reader: Reader, project: str, run: str) -> Root:
        """The root of a run by its 32 hex digits. Raises OwnerNotFound."""
        row = reader.find(sql.root_of_run, {"project": project, "run": run})
        if row is None:
            raise OwnerNotFound(f"Run with id={run} not found")
        return root_of(row[0])

    def of_model(self, reader: Reader, project: str, model: str) -> Root:
        """The root of a logged model (`m-…`). Raises OwnerNotFound."""
        row = reader.find(sql.root_of_model, {"project": project, "model": model})
        if row is None:
            raise OwnerNotFound(f"Logged model with ID '{model}' not found.")
        return root_of(row[0])

    def of_version(self, reader: Reader, project: str, name: str, number: int) -> Root:
        """The root of a registered version: its own sealed files, where they are kept here. Raises OwnerNotFound."""
        row = reader.find(sql.root_of_version, {"project": project, "name": name, "number": number})
        if row is None:
            raise OwnerNotFound(f"Model Version (name={name}, version={number}) not found")
        return root_of(row[0] or "")


def root_of(uri: str) -> Root:
    """The root that a location names."""
    return Root(uri=uri, folder=folder_of_uri(uri))


def below(root: Root, path: str | None) -> str:
    """A folder below a root, where a request may name none."""
    return root.below(checked_folder(path or ""))
