"""Features at serving: a request brings keys and values on demand, and the model's vector is read from the online store.

The reader is another system's. What is needed of it stands here as a port; `--reader` names what opens one, and it is
imported when the first endpoint asks for features, so that a server without such endpoints pays nothing for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from treadle.ground.errors import NotFound, Unavailable
from treadle.systems.serve.runtime.documents import FeatureSource
from treadle.systems.serve.runtime.errors import FeaturesUnavailable, MissingInput, NotAllowed, UnknownInput, WrongInput
from treadle.systems.serve.runtime.log import Keyed
from treadle.systems.serve.runtime.row_facts import RowFacts, facts_of_tensors
from treadle.systems.serve.runtime.signature import RESERVED
from treadle.wire.oip import InferRequest, Tensor

UNAVAILABLE = "unavailable"
"""The status of a view whose store did not answer."""
INLINE_ROWS = 64
"""Requests up to so many rows are read in the event loop, where the store is a file of this machine."""
_log = logging.getLogger("treadle.serve")


class Mark(Protocol):
    """A view of an answer, and the digest of its definition."""

    @property
    def view(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Vectors(Protocol):
    """What was read: for each entity the values in the order of `features`, and for each view of `watermarks` how it
    answered, the moment (microseconds since 1970) of which its values are exactly those, and its snapshot's version."""

    @property
    def digest(self) -> str: ...
    @property
    def features(self) -> Sequence[str]: ...
    @property
    def watermarks(self) -> Sequence[Mark]: ...
    @property
    def values(self) -> Sequence[Sequence[Any]]: ...
    @property
    def statuses(self) -> Sequence[Sequence[str]]: ...
    @property
    def as_of(self) -> Sequence[Sequence[int]]: ...
    @property
    def versions(self) -> Sequence[Sequence[int]]: ...


class FeatureReader(Protocol):
    """Reads vectors of one project's services out of its online store."""

    @property
    def is_local(self) -> bool:
        """Whether a read is a look into a file of this machine, done in microseconds."""
        ...

    def read(self, service: str, entities: Sequence[Mapping[str, Any]]) -> Vectors:
        """The vectors as they are now, noted for the comparison with training. Raises Unavailable, NotFound, and
        InvalidInput for an entity without a key or a value that a feature on demand needs."""
        ...

    def close(self) -> None: ...


OpenReader = Callable[[str, float], FeatureReader]
"""Opens the reader of a project, which waits so many seconds for its store at most."""


@dataclass(slots=True)
class Fetched:
    """Rows as the model takes them, and what is to be logged of them."""

    rows: list[dict[str, Any]]
    facts: RowFacts


@dataclass(slots=True)
class Features:
    """Reads the features of keyed endpoints. open_reader: None where this server can read none."""

    open_reader: OpenReader | None
    looked_up: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Answers of views, by endpoint and how they answered."""
    _readers: dict[tuple[str, float], FeatureReader] = field(default_factory=dict)
    _threads: ThreadPoolExecutor | None = None

    async def fetch(
        self,
        endpoint: str,
        source: FeatureSource,
        columns: Sequence[str],
        asked: Sequence[Mapping[str, Any]],
        facts: RowFacts,
        most: int,
    ) -> Fetched:
        """The rows of some entities with these columns.

        most: how many rows one request may have. Raises FeaturesUnavailable where the store does not answer in time and
        the endpoint does not go on with nulls; UnknownInput, MissingInput, WrongInput for what the request lacks.
        """
        if len(asked) > most:
            raise NotAllowed(f"The request has {len(asked)} rows; {most} are allowed.", fix="Split it into several.")
        check_names(source, asked)
        if facts.entity is None:
            facts.entity = [_entity_text(source, row) for row in asked]
        if not asked:
            return Fetched([], facts)
        try:
            vectors = await self._read(source, asked)
        except NotFound as error:
            raise FeaturesUnavailable(error.what, why=error.why, fix=error.fix) from None
        except (Unavailable, TimeoutError) as error:
            vectors = None
            reason = error.what if isinstance(error, Unavailable) else ""
        if vectors is not None and not any(UNAVAILABLE in of_row for of_row in vectors.statuses):
            reason = ""
        elif source.on_timeout == "refuse":
            self.looked_up[endpoint, UNAVAILABLE] += len(asked)
            raise FeaturesUnavailable(
                f"The online store did not answer within {source.timeout_ms:g} ms.",
                why=reason,
                fix="Try again in a second; or deploy the endpoint so that it goes on with nulls.",
            )
        return self._fetched(endpoint, source, columns, asked, facts, vectors)

    def _fetched(
        self,
        endpoint: str,
        source: FeatureSource,
        columns: Sequence[str],
        asked: Sequence[Mapping[str, Any]],
        facts: RowFacts,
        vectors: Vectors | None,
    ) -> Fetched:
        given = [dict(row) for row in asked]
        if vectors is None:
            self.looked_up[endpoint, UNAVAILABLE] += len(asked)
            names, values = [], [()] * len(asked)  # type: list[str], Sequence[Sequence[Any]]
            views: list[tuple[str, str]] = []
            statuses, as_of, versions = ([[]] * len(asked) for _ in range(3))  # type: Any, Any, Any
        else:
            names, values = list(vectors.features), vectors.values
            views = [(mark.view, mark.digest) for mark in vectors.watermarks]
            statuses, as_of, versions = vectors.statuses, vectors.as_of, vectors.versions
            for of_row in statuses:
                for status in of_row:
                    self.looked_up[endpoint, status] += 1
        rows = []
        for row, of_row in zip(given, values, strict=True):
            known = {**row, **dict(zip(names, of_row, strict=True))}
            rows.append({name: known.get(name) for name in columns})
        if facts.feature_as_of is None and vectors is not None:
            moments = [min((moment for moment in of_row if moment), default=0) for of_row in as_of]
            facts.feature_as_of = moments if all(moments) else None
        facts.keyed = Keyed(
            source.service,
            source.digest,
            views,
            given,
            [list(one) for one in statuses],
            [list(one) for one in as_of],
            [list(one) for one in versions],
        )
        return Fetched(rows, facts)

    async def _read(self, source: FeatureSource, asked: Sequence[Mapping[str, Any]]) -> Vectors:
        reader = self._reader(source)
        name = f"{source.service}@{source.digest}"
        if reader.is_local and len(asked) <= INLINE_ROWS:
            return reader.read(name, asked)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(8, "features")
        reading = asyncio.get_running_loop().run_in_executor(self._threads, reader.read, name, asked)
        return await asyncio.wait_for(reading, source.timeout_ms / 1000)

    def _reader(self, source: FeatureSource) -> FeatureReader:
        key = source.project, source.timeout_ms / 1000
        found = self._readers.get(key)
        if found is None:
            if self.open_reader is None:
                raise Unavailable("This server was started without a reader of features.")
            found = self._readers[key] = self.open_reader(*key)
        return found

    def close(self) -> None:
        """Gives back stores and threads."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        for reader in self._readers.values():
            with contextlib.suppress(Unavailable):
                reader.close()


def check_names(source: FeatureSource, asked: Sequence[Mapping[str, Any]]) -> None:
    """Raises UnknownInput, MissingInput for rows that do not have exactly the keys and the values on demand."""
    wanted = source.asked
    for at, row in enumerate(asked):
        for name in row:
            if name not in wanted:
                raise UnknownInput(
                    f"This endpoint takes no input {name!r} (row {at}): it reads its features by key.",
                    fix=f"Send {', '.join(wanted)}.",
                )
        for name in wanted:
            if name not in row:
                raise MissingInput(f"Input {name!r} is missing in row {at}.", fix=f"Send {', '.join(wanted)}.")


def rows_of_request(source: FeatureSource, request: InferRequest) -> tuple[list[dict[str, Any]], RowFacts]:
    """The keys and values of a request of the protocol, a row each, and what it says of them beside."""
    tensors = {tensor.name: tensor for tensor in request.inputs}
    if len(tensors) != len(request.inputs):
        raise WrongInput("An input is there twice.")
    wanted = source.asked
    for name in tensors:
        if name not in wanted and name not in RESERVED:
            raise UnknownInput(
                f"This endpoint takes no input {name!r}: it reads its features by key.",
                fix=f"Send {', '.join(wanted)}.",
            )
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise MissingInput(f"Input {missing[0]!r} is missing.", fix=f"Send {', '.join(wanted)}.")
    columns = {name: _values(tensors[name]) for name in wanted}
    sizes = {len(values) for values in columns.values()}
    if len(sizes) > 1:
        raise WrongInput(f"The inputs have {', '.join(map(str, sorted(sizes)))} rows.", fix="Send as many of each.")
    rows = sizes.pop()
    facts = {name: tensor for name, tensor in tensors.items() if name in RESERVED and name not in wanted}
    given = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return given, facts_of_tensors(facts, request.parameters, rows)


def _values(tensor: Tensor) -> list[Any]:
    shape = tensor.shape
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise WrongInput(f"Input {tensor.name!r} has shape {list(shape)}.", fix="Send one value a row.")
    values = tensor.values if isinstance(tensor.values, list) else tensor.values.ravel().tolist()
    nulls = None if tensor.nulls is None else tensor.nulls.ravel().tolist()
    if nulls is not None:
        values = [None if gone else value for value, gone in zip(values, nulls, strict=True)]
    return [_text(tensor.name, value) if isinstance(value, bytes) else value for value in values]


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise WrongInput(f"Input {name!r}: the bytes are no UTF-8.") from None


def _entity_text(source: FeatureSource, row: Mapping[str, Any]) -> str:
    """Whom a row is about, where the request does not say it otherwise: its keys."""
    return "|".join(str(row[name]) for name, _ in source.keys)
