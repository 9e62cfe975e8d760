"""Alerts on their way to people: what monitoring has put in the outbox, through the checked sockets of the webhooks."""

from treadle.loops.notifying.delivering import AlertDeliverer, Told
from treadle.loops.notifying.guarding import RouteGuard
from treadle.loops.notifying.mailing import Mailer

__all__ = ["AlertDeliverer", "Mailer", "RouteGuard", "Told"]
