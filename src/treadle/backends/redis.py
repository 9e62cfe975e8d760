"""The online store of a team on Redis 6 or newer, by redis-py.

A space is one hash (`HMGET` reads many entities in one round trip) and one sorted set of what is due. Records are written
by a script that runs whole or not at all, so an older record never replaces a newer one, whoever races.

Redis keeps what it was told to keep: without persistence a restart loses records, and the next materialisation sees that
the watermark is gone and writes everything anew. Records have no expiry of their own, since the reader keeps the time to
live; a server that evicts (`maxmemory-policy allkeys-*`) would lose single hashes, and is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from treadle.ground.errors import MissingExtra
from treadle.systems.features.online.errors import OnlineStoreRefused, OnlineStoreSlow, OnlineStoreUnavailable
from treadle.systems.features.online.ports import FOREVER, Capabilities, Entry, newest_of_each

try:
    import redis
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("redis", "redis", "Features online in Redis") from error

_PUT = """
local kept = 0
for at = 1, #ARGV, 3 do
  local key, due, record = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', KEYS[1], key)
  local older = false
  if known then
    for place = 1, 16 do
      local is, was = string.byte(record, place), string.byte(known, place)
      if is ~= was then
        older = is < was
        break
      end
    end
  end
  if not older then
    redis.call('HSET', KEYS[1], key, record)
    if due == '' then
      redis.call('ZREM', KEYS[2], key)
    else
      redis.call('ZADD', KEYS[2], due, key)
    end
    kept = kept + 1
  end
end
return kept
"""
"""Compares stamps byte by byte: Lua's own `<` on strings follows the server's locale."""

_AT_ONCE = 500
_EXACT = 1 << 53
"""Scores are doubles: whole numbers up to here are exact."""


class RedisOnlineStore:
    """See the module. url: `redis://` or `rediss://`; prefix: what the project's keys begin with."""

    capabilities = Capabilities(name="redis", is_shared=True, max_key_bytes=1 << 16, max_record_bytes=1 << 26)

    def __init__(self, url: str, project: str, *, prefix: str = "treadle", timeout_s: float = 5.0) -> None:
        self._prefix, self._timeout_s = f"{prefix}:{project}", timeout_s
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=False,
            health_check_interval=30,
        )
        self._put: Any = self._client.register_script(_PUT)

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        with self._errors():
            found: list[bytes | None] = self._client.hmget(self._records(space), list(keys))
        return found

    def write(self, space: str, entries: Sequence[Entry]) -> int:
        rows = newest_of_each(entries)
        kept = 0
        with self._errors():
            self._check_eviction()
            for start in range(0, len(rows), _AT_ONCE):
                given: list[Any] = []
                for entry in rows[start : start + _AT_ONCE]:
                    given += [entry.key, b"" if entry.due >= FOREVER else str(_score(entry.due)).encode(), entry.record]
                kept += int(self._put(keys=[self._records(space), self._due(space)], args=given))
        return kept

    def due(self, space: str, until: int) -> list[bytes]:
        with self._errors():
            return list(self._client.zrangebyscore(self._due(space), "-inf", _score(until)))

    def changes(self, space: str, since: int | None) -> tuple[int | None, Sequence[bytes] | None]:
        return None, None

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        seen: set[bytes] = set()  # a hash that is made larger meanwhile may name a key twice
        cursor = 0
        while True:
            with self._errors():
                cursor, found = self._client.hscan(self._records(space), cursor=cursor, count=1000)
            for key, record in found.items():
                if key not in seen:
                    seen.add(key)
                    yield key, record
            if cursor == 0:
                return

    def remove(self, space: str, keys: Sequence[bytes]) -> None:
        if not keys:
            return
        with self._errors(), self._client.pipeline(transaction=True) as together:
            together.hdel(self._records(space), *keys)
            together.zrem(self._due(space), *keys)
            together.execute()

    def drop(self, space: str) -> None:
        with self._errors():
            self._client.unlink(self._records(space), self._due(space))

    def spaces(self) -> list[str]:
        start = f"{self._prefix}:records:".encode()
        pattern = (
            b"".join(b"\\" + bytes([letter]) if letter in b"*?[]\\" else bytes([letter]) for letter in start) + b"*"
        )
        with self._errors():
            return sorted(name[len(start) :].decode() for name in self._client.scan_iter(match=pattern, count=1000))

    def close(self) -> None:
        self._client.close()

    def _records(self, space: str) -> str:
        return f"{self._prefix}:records:{space}"

    def _due(self, space: str) -> str:
        return f"{self._prefix}:due:{space}"

    def _check_eviction(self) -> None:
        """Raises OnlineStoreRefused where the server throws away what it is short of memory for."""
        if getattr(self, "_is_checked", False):
            return
        try:
            policy = str(self._client.info("memory").get("maxmemory_policy", "noeviction"))
        except redis.ResponseError:  # a managed server may hide it
            policy = "noeviction"
        if policy.startswith("allkeys"):
            raise OnlineStoreRefused(
                f"This Redis evicts keys ({policy}).",
                why="Features would vanish unseen when it is short of memory.",
                fix="Set maxmemory-policy to noeviction, or to volatile-lru: our keys have no expiry.",
            )
        self._is_checked = True

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except redis.TimeoutError as error:
            raise OnlineStoreSlow(
                f"Redis did not answer within {self._timeout_s:g} s.", why=str(error), fix="Try again."
            ) from error
        except redis.ConnectionError as error:
            raise OnlineStoreUnavailable(
                "Redis does not answer.", why=str(error), fix="Check that it runs, and TREADLE_ONLINE_STORE."
            ) from error
        except redis.RedisError as error:
            raise OnlineStoreRefused("Redis refused a command.", why=str(error)) from error


def _score(moment: int) -> int:
    return max(-_EXACT, min(_EXACT, moment))
