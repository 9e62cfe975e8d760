"""The runner: a process that carries out one firing, or goes on with one run, and ends.

    python -m treadle.kernel.engine.runner --open module:function (--firing ID | --resume RUN --publication ID)

It is started with the published code first on its path. Exit status: 0 the run is done or waits, 1 it failed, 3 somebody
else has it.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from importlib import import_module
from typing import Any

from treadle.ground.clock import from_micros
from treadle.ground.errors import Conflict, TreadleError
from treadle.kernel.engine.asked import BY_HAND, Asked, asked_of
from treadle.kernel.engine.errors import PipelineNotFound
from treadle.kernel.engine.journal import sql
from treadle.kernel.engine.leases import find
from treadle.kernel.engine.pipelines import Pipeline, PipelineRun
from treadle.kernel.engine.publishing import get_publication
from treadle.kernel.engine.scheduler import Firing, firing_of
from treadle.kernel.engine.service import Engine

DONE, FAILED, TAKEN = 0, 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; answers the exit status."""
    parser = argparse.ArgumentParser(prog="treadle.kernel.engine.runner", description=__doc__)
    parser.add_argument("--open", required=True, help="module:function that gives the engine")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--firing")
    what.add_argument("--resume")
    parser.add_argument("--publication")
    chosen = parser.parse_args(arguments)
    engine: Engine = named(chosen.open)()
    try:
        run = fire(engine, chosen.firing) if chosen.firing else go_on(engine, chosen.resume, chosen.publication)
    except Conflict as error:
        print(f"treadle: {error}", file=sys.stderr)  # noqa: T201 -- the runner's own report
        return TAKEN
    except TreadleError as error:
        print("treadle: " + "\n".join(error.sentences()), file=sys.stderr)  # noqa: T201
        return FAILED
    finally:
        engine.close()
    if run.error is not None:
        print(f"treadle: {run.error}", file=sys.stderr)  # noqa: T201
        return FAILED
    return DONE


def fire(engine: Engine, firing_id: str) -> PipelineRun[Any]:
    """Carries out a firing. Raises Conflict when it has a run already."""
    with engine.store.read() as reader:
        row = reader.find(sql.find_firing, {"project": engine.project, "id": firing_id})
        if row is None:
            raise PipelineNotFound(f"There is no firing {firing_id!r}.")
        firing = firing_of(row)
        publication = get_publication(reader, engine.project, firing.publication)
    pipeline = pipeline_of(publication.targets, firing.pipeline)
    asked = asked_of(firing) or Asked(actor=engine.actor)
    engine.actor = asked.actor
    if asked.resumes is not None:
        return engine.resume(asked.resumes, pipeline, from_step=asked.from_step, firing=firing.id)
    return engine.run(
        pipeline,
        engine.arguments_of(pipeline, firing.params),
        seed=asked.seed,
        now=moment_of(engine, firing),
        caused_by=firing.caused_by or firing.id,
        firing=firing.id,
        fresh=asked.fresh,
        from_step=asked.from_step,
    )


def moment_of(engine: Engine, firing: Firing) -> datetime | None:
    """What `td.now()` says in a firing's run: the schedule's moment, or the time of which the event speaks.

    An alert about last week retrains as of the end of that week, however late somebody looks. None is the present.
    """
    if firing.source.startswith(("schedule:", BY_HAND)):
        return from_micros(firing.moment_at)
    event = None if firing.caused_by is None else engine.events.find(engine.project, firing.caused_by)
    return None if event is None else event.event_at


def go_on(engine: Engine, run: str, publication_id: str | None) -> PipelineRun[Any]:
    """Resumes a run. Raises RunIsHeld while somebody works on it."""
    held = find(engine.store, engine.project, run)
    with engine.store.read() as reader:
        publication = get_publication(reader, engine.project, publication_id)
    return engine.resume(run, pipeline_of(publication.targets, held.name))


def pipeline_of(targets: dict[str, str], name: str) -> Pipeline[..., Any]:
    """The pipeline of that name in the published code."""
    target = targets.get(name)
    found = named(target) if target is not None else None
    if not isinstance(found, Pipeline):
        raise PipelineNotFound(
            f"The publication has no pipeline {name!r}.", why=f"It has: {', '.join(sorted(targets)) or 'none'}."
        )
    return found


def named(target: str) -> Any:
    """What `module:name` names."""
    module, _, qualname = target.partition(":")
    found: Any = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    sys.exit(main())
