"""`treadle init`: a new project that runs as it is."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Annotated

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.ground.errors import Conflict

_SUFFIX = ".template"
_HIDDEN = {"github": ".github", "gitignore": ".gitignore"}
"""Names that begin with a dot where they are written, and without one here, so that packagers take them along."""

DAYS = 365
BAD_ROWS = {40: "cups", 133: "temperature_c", 287: "cups"}
"""The days of the year whose row is bad, and the column that is."""


class WouldOverwrite(Conflict):
    """Files that a new project would write are there already."""

    code = "projects.would_overwrite"


def init(
    session: Session,
    directory: Annotated[Path, "the folder of the project; made when it is not there"] = Path(),
    *,
    name: Annotated[str | None, "the project's name (default: that of the folder)"] = None,
) -> None:
    """Writes a pipeline, its data and contract, a test, a CI workflow and the settings.

    Nothing that is there is overwritten. The project forecasts the sales of a café; change it into yours.
    """
    folder = directory.absolute()
    texts = project_files(project_name(name or folder.resolve().name))
    taken = [path for path in texts if (folder / path).exists()]
    if taken:
        raise WouldOverwrite(
            f"A project cannot begin in {folder}.",
            why=f"These files are there already: {', '.join(sorted(map(str, taken)))}.",
            fix="Name another folder: treadle init NAME",
            folder=str(folder),
        )
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")

    def draw(paper: Paper) -> None:
        paper.line(f"A project begins in {folder}:")
        for path in sorted(texts):
            paper.line(f"  {path}")
        step = f"cd {directory} && " if directory != Path() else ""
        paper.line(f"Run it with: {step}treadle run pipeline.py")

    session.out.show({"folder": folder, "files": sorted(map(str, texts))}, draw)


def project_name(text: str) -> str:
    """A text as the name of a project: small letters, digits and dashes."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return "-".join(part for part in letters.split("-") if part)[:40] or "project"


def project_files(name: str) -> dict[PurePosixPath, str]:
    """The files of a new project: where each goes, and its text."""
    root = files("treadle.faces.cli.templates") / "project"
    texts = {path: text.replace("${name}", name) for path, text in _templates(root, PurePosixPath())}
    texts[PurePosixPath("data/sales.csv")] = sales_csv()
    return texts


def _templates(folder: Traversable, place: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in folder.iterdir():
        bare = entry.name.removesuffix(_SUFFIX)
        path = place / _HIDDEN.get(bare, bare)
        if entry.is_dir():
            yield from _templates(entry, path)
        elif entry.name.endswith(_SUFFIX):
            yield path, entry.read_text(encoding="utf-8")


def sales_csv(seed: int = 7) -> str:
    """A year of a café's sales: fewer cups on warm days, more on weekends, none of it exact, three rows bad."""
    rng = random.Random(seed)  # noqa: S311 -- made-up data, no secret
    lines = ["day,temperature_c,is_holiday,cups"]
    for n in range(DAYS):
        day = date(2025, 1, 1) + timedelta(days=n)
        temperature = round(10 - 12 * math.cos(2 * math.pi * n / 365) + rng.gauss(0, 3), 1)
        is_holiday = rng.random() < 0.03
        mean = 220 - 4 * temperature + (60 if day.weekday() >= 5 else 0) - (90 if is_holiday else 0)
        cells = {"temperature_c": str(temperature), "cups": str(max(0, round(rng.gauss(mean, 12))))}
        if n in BAD_ROWS:
            cells[BAD_ROWS[n]] = {"temperature_c": "212.0", "cups": "-1"}[BAD_ROWS[n]]
        lines.append(f"{day},{cells['temperature_c']},{str(is_holiday).lower()},{cells['cups']}")
    return "\n".join(lines) + "\n"
