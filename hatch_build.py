"""Builds the pages into a wheel. An editable install goes without (`make web` builds them); a wheel never does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface[Any]):
    """The hook of the wheel target."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises RuntimeError when a wheel would be made without its pages."""
        if version != "standard":
            return
        root = Path(self.root)
        sys.path.insert(0, self.root)
        try:
            from tools.web_bundle import BUNDLE, build

            build()
        finally:
            sys.path.remove(self.root)
        if not (BUNDLE / "index.html.gz").is_file():
            raise RuntimeError(f"{BUNDLE.relative_to(root)} holds no pages: a wheel without them is not made.")
