"""The Redis that tests may use: `TREADLE_TEST_REDIS`, or one of this host. Tests keep to key prefixes of their own."""

from __future__ import annotations

import os
from functools import cache


@cache
def redis_url() -> str | None:
    """The URL of a server that answers, or None."""
    import redis

    url = os.environ.get("TREADLE_TEST_REDIS", "redis://127.0.0.1:6379")
    client = redis.Redis.from_url(url, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError:
        return None
    finally:
        client.close()
    return url
