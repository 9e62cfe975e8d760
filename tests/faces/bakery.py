"""A small service for the tests of the faces: it bakes, finds and watches loaves, and fails in every way on request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from treadle.ground.errors import Conflict
from treadle.kernel.governance import Bound, Caller, bind, verb
from treadle.kernel.vocabulary.pages import Page


class OvenCold(Conflict):
    """The oven is cold."""

    code = "bakery.oven_cold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flour:
    kind: str
    grams: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeLoaf:
    name: str
    flours: list[Flour] = field(default_factory=list)
    minutes: float = 40.0
    at: datetime | None = None
    is_warm: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaf:
    name: str
    baked_by: str
    project: str
    grams: int
    minutes: float
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindLoaves:
    limit: int = 10
    names: list[str] = field(default_factory=list)
    is_large: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOven:
    degrees: int
    breaks_at: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    place: int
    degrees: int


class Bakery:
    """The service."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    @verb("loaves.bake", permission="loaves.write", event="loaf.baked")
    def bake(self, caller: Caller, request: BakeLoaf) -> Loaf:
        """The loaf, baked."""
        if not request.is_warm:
            raise OvenCold("The oven is cold.", why="Nobody lit it.", fix="Light it.", loaf=request.name)
        return Loaf(
            name=request.name,
            baked_by=caller.actor,
            project=caller.project,
            grams=sum(flour.grams for flour in request.flours),
            minutes=request.minutes,
            at=request.at,
        )

    @verb("loaves.find", permission="loaves.read")
    def find(self, caller: Caller, request: FindLoaves) -> Page[Loaf]:
        """Loaves by name."""
        made = datetime(2013, 1, 1, tzinfo=UTC)
        loaves = [
            Loaf(
                name=name,
                baked_by="ada",
                project=caller.project,
                grams=900 if request.is_large else 500,
                minutes=40,
                at=made,
            )
            for name in request.names[: request.limit]
        ]
        return Page(items=loaves, next="more" if len(request.names) > request.limit else None)

    @verb("oven.clean", permission="oven.write", event="oven.cleaned")
    def clean(self, caller: Caller) -> None:
        """Nothing; the oven is clean."""

    @verb("oven.explode", permission="oven.write")
    def explode(self, caller: Caller) -> None:
        """Never answers."""
        raise ZeroDivisionError("the secret of the oven")

    @verb("oven.heat", permission="oven.write", shape="run")
    def heat(self, caller: Caller) -> str:
        """The id of the run that heats."""
        return "run_1"

    @verb("oven.watch", permission="oven.read", shape="stream")
    def watch(self, caller: Caller, request: WatchOven) -> Iterator[Reading]:
        """Readings as they come."""
        try:
            for place in range(request.degrees):
                if place == request.breaks_at:
                    raise OvenCold("The fire went out.")
                yield Reading(place=place, degrees=place * 10)
        finally:
            self.closed.append("watch")


def bound() -> dict[str, Bound]:
    return bind([Bakery()])
