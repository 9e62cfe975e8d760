"""How the files of a source are read: the options that folders and buckets share."""

from __future__ import annotations

from typing import Literal

import msgspec

from treadle.systems.collect.reading import Reading


class FileForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """format: `csv`, `jsonl`, `parquet` (default: by the suffix). malformed: what becomes of lines that are no rows."""

    format: str | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    null_values: tuple[str, ...] = ("", "NA")
    malformed: Literal["refuse", "quarantine"] = "refuse"

    def reading(self) -> Reading:
        """The options as the reader takes them."""
        return Reading(
            format=self.format,
            encoding=self.encoding,
            separator=self.separator,
            null_values=self.null_values,
            malformed=self.malformed,
        )
