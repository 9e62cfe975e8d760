"""What happens, as it happens: `GET /api/v1/events/live`, server-sent events from the project's log.

All who look at one project share one reader of its log. A browser that was away names the position of the last event that
it saw, and gets what came since.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from treadle.faces.api.answers import problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.routes import caller_of
from treadle.kernel.events import Event, EventLog

LOOK_EVERY_S = 0.5
SAY_SOMETHING_EVERY_S = 15.0
"""A comment is sent so often: a browser then knows that the connection stands, and a dead one is found."""
MOST_AT_ONCE = 500
"""So many events are caught up on; who was away for longer is told to read everything anew."""


class Watch:
    """One project's log, followed while anybody listens."""

    def __init__(self, events: EventLog, project: str, is_ending: Callable[[], bool]) -> None:
        self._events, self._project, self._is_ending = events, project, is_ending
        self._changed = asyncio.Event()
        self._head = -1
        self._listeners = 0
        self._following: asyncio.Task[None] | None = None

    async def begin(self) -> int:
        """Counts a listener in, and answers where the log stands."""
        self._listeners += 1
        if self._following is None:
            self._head = await self._look()
            self._following = asyncio.create_task(self._follow())
        return self._head

    def end(self) -> None:
        self._listeners -= 1
        if self._listeners == 0 and self._following is not None:
            self._following.cancel()
            self._following = None

    @property
    def is_over(self) -> bool:
        """Whether the server ends: an answer that goes on would hold it up."""
        return self._is_ending()

    async def after(self, position: int) -> bool:
        """Waits until the log goes beyond a position; False when it did not for a while, or the server ends."""
        if self._head > position:
            return True
        try:
            await asyncio.wait_for(self._changed.wait(), SAY_SOMETHING_EVERY_S)
        except TimeoutError:
            return False
        return self._head > position

    async def since(self, position: int) -> list[Event]:
        return await run_in_threadpool(self._events.since, self._project, position, limit=MOST_AT_ONCE)

    async def _look(self) -> int:
        return (await run_in_threadpool(self._events.head, self._project))[0]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            head = await self._look()
            if head != self._head or self.is_over:
                self._head = head
                self._changed.set()
                self._changed = asyncio.Event()


def live_route(events: EventLog, authenticator: Authenticator, is_ending: Callable[[], bool]) -> Route:
    """The route. Needs `event.read`. is_ending: whether the server wants to stop; every stream then ends."""
    watches: dict[str, Watch] = {}

    async def answer(request: Request) -> Response:
        try:
            caller = await caller_of(request, authenticator)
            caller.require("event.read")
        except Exception as error:  # the outermost loop of this face
            return problem_response(error)
        watch = watches.setdefault(caller.project, Watch(events, caller.project, is_ending))
        seen = request.headers.get("last-event-id", request.query_params.get("after", ""))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            _told(watch, int(seen) if seen.isdecimal() and len(seen) < 19 else None),
            headers=headers,
            media_type="text/event-stream",
        )

    return Route("/api/v1/events/live", answer, methods=["GET"])


async def _told(watch: Watch, seen: int | None) -> AsyncIterator[bytes]:
    head = await watch.begin()
    try:
        position = head if seen is None else seen
        if position > head or head - position > MOST_AT_ONCE:
            yield f"event: anew\nid: {head}\ndata: {head}\n\n".encode()
            position = head
        else:
            yield f"event: here\nid: {position}\ndata: {position}\n\n".encode()
        while not watch.is_over:
            if not await watch.after(position):
                yield b": still here\n\n"
                continue
            for event in await watch.since(position):
                position = event.position or position
                yield b"id: %d\ndata: %b\n\n" % (position, msgspec.json.encode(event))
    finally:
        watch.end()
