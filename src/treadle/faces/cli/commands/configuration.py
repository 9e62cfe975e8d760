"""`treadle config`: what is set, to what, and by whom."""

from __future__ import annotations

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session


def show(session: Session) -> None:
    """Each setting with its value and its origin.

    Later sources win: the default, treadle.toml, the environment, a flag. Secrets are masked.
    """
    rows = [(setting.name, value, origin) for setting, value, origin in session.settings.sheet()]
    answer = {
        "project_root": session.settings.project_root,
        "settings": [{"name": name, "value": value, "origin": origin} for name, value, origin in rows],
    }

    def draw(paper: Paper) -> None:
        paper.table(
            ("setting", "value", "from"), [(name, "" if value == "" else value, origin) for name, value, origin in rows]
        )

    session.out.show(answer, draw)
