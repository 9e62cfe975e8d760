"""What routes may lead to, and how their secrets are kept: as those of the registry's webhooks."""

from __future__ import annotations

from treadle.systems.train.webhooks.addresses import Policy, checked
from treadle.systems.train.webhooks.sealed import Seal


class RouteGuard:
    """Satisfies monitoring's port `Guard`."""

    def __init__(self, policy: Policy, seal: Seal) -> None:
        self._policy, self._seal = policy, seal

    def check(self, url: str) -> None:
        """Refuses a URL that leads to this host or to a private network. Raises AddressRefused."""
        checked(url, self._policy)

    def close(self, route: str, secret: str) -> bytes:
        """The secret, sealed for its route."""
        return self._seal.close(route, secret)
