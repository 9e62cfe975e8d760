"""An application that is made when the first request for it comes: most homes are asked for tracking alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class OpenedLater:
    """Hands every request to the application that `make` answers; made once, in a thread."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._making:
                if self._app is None:
                    self._app = await asyncio.get_running_loop().run_in_executor(None, self._make)
        await self._app(scope, receive, send)
