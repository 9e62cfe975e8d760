"""The registry in a workspace: models and their versions, what signs and packs them, and who is told of changes."""

# Imports inside of functions are this package's purpose: they are what makes a workspace cheap to open.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from treadle.ground.memo import cached_property

if TYPE_CHECKING:
    from treadle.assembly.kernel import Kernel
    from treadle.loops.notifying import AlertDeliverer, RouteGuard
    from treadle.loops.release.packing import Packages
    from treadle.systems.train import Models
    from treadle.systems.train.files.contents import Contents
    from treadle.systems.train.registry.dossiers import Dossiers
    from treadle.systems.train.registry.versions import Versions
    from treadle.systems.train.signing.service import Signatures
    from treadle.systems.train.webhooks.announcing import Announcements
    from treadle.systems.train.webhooks.delivering import Deliverer, Sender
    from treadle.systems.train.webhooks.sealed import Seal
    from treadle.systems.train.webhooks.service import Webhooks


class Registry:
    """The parts of the registry; each is made when it is first asked for."""

    def __init__(self, kernel: Kernel, contents: Callable[[], Contents]) -> None:
        self._kernel, self._contents = kernel, contents

    @cached_property
    def models(self) -> Models:
        from treadle.systems.train import Models

        return Models(
            self._kernel.store,
            self._kernel.refs,
            self._kernel.evidence,
            self._kernel.events,
            self._kernel.clock,
            self._kernel.artifacts,
            self.announcements,
        )

    @cached_property
    def versions(self) -> Versions:
        """The registry's versions, made from the files of runs and logged models."""
        from treadle.systems.train.registry.lookup import Lookup
        from treadle.systems.train.registry.origins import TrackingOrigins
        from treadle.systems.train.registry.sealing import Sealer
        from treadle.systems.train.registry.versions import Versions

        origins = TrackingOrigins()
        sealer = Sealer(
            self._kernel.store,
            Lookup(self._kernel.refs),
            self._contents(),
            origins,
            self._kernel.clock,
            self._kernel.new_id,
        )
        return Versions(
            self._kernel.store,
            self._kernel.refs,
            self._kernel.events,
            self._kernel.clock,
            sealer,
            origins,
            self._dossiers,
            self.announcements,
        )

    @cached_property
    def packages(self) -> Packages:
        """Versions in the layout that MLflow's clients load."""
        from treadle.loops.release.packing import Packages
        from treadle.systems.train.registry.lookup import Lookup

        lookup = Lookup(self._kernel.refs)
        return Packages(
            self._kernel.store, lookup, self._dossiers, self._kernel.artifacts, self._kernel.clock, self._kernel.new_id
        )

    @cached_property
    def signatures(self) -> Signatures:
        from treadle.systems.train.registry.lookup import Lookup
        from treadle.systems.train.signing.service import Signatures

        lookup = Lookup(self._kernel.refs)
        return Signatures(
            self._kernel.store,
            lookup,
            self._dossiers,
            self._kernel.evidence,
            self._kernel.artifacts,
            self._kernel.clock,
        )

    @cached_property
    def announcements(self) -> Announcements:
        """What the registry says to those who listen."""
        from treadle.systems.train.webhooks.announcing import Announcements

        return Announcements(self._kernel.outbox, self._kernel.clock)

    @cached_property
    def webhooks(self) -> Webhooks:
        from treadle.systems.train.webhooks.service import Webhooks

        sender = self._webhook_sender
        return Webhooks(
            self._kernel.store,
            self._kernel.events,
            sender,
            self._webhook_seal,
            sender.policy,
            self._kernel.clock,
            self._kernel.new_id,
        )

    @cached_property
    def deliverer(self) -> Deliverer:
        """Brings what the registry announced to the webhooks that asked for it."""
        from treadle.systems.train.webhooks.delivering import Deliverer

        return Deliverer(self._kernel.store, self._kernel.outbox, self._webhook_sender)

    @cached_property
    def alert_guard(self) -> RouteGuard:
        """What routes of alerts may lead to."""
        from treadle.loops.notifying import RouteGuard

        return RouteGuard(self._webhook_sender.policy, self._webhook_seal)

    @cached_property
    def alert_deliverer(self) -> AlertDeliverer:
        """Brings alerts to those who are to be told."""
        from treadle.loops.notifying import AlertDeliverer, Mailer

        kernel, settings = self._kernel, self._kernel.settings
        mailer = Mailer(settings.smtp_url, settings.mail_sender)
        return AlertDeliverer(
            kernel.store, kernel.outbox, self._webhook_sender.policy, self._webhook_seal, mailer, kernel.clock
        )

    @cached_property
    def _dossiers(self) -> Dossiers:
        """Everything that is known of a version."""
        from treadle.systems.train.registry.dossiers import Dossiers
        from treadle.systems.train.registry.lookup import Lookup

        return Dossiers(Lookup(self._kernel.refs), self._kernel.evidence, self._kernel.artifacts)

    @cached_property
    def _webhook_sender(self) -> Sender:
        from treadle.systems.train.webhooks.addresses import Policy
        from treadle.systems.train.webhooks.delivering import Sender

        settings = self._kernel.settings
        policy = Policy(allows_private=settings.allow_private_webhooks, allows_http=settings.allow_http_webhooks)
        return Sender(policy, self._webhook_seal, self._kernel.clock)

    @cached_property
    def _webhook_seal(self) -> Seal:
        from treadle.systems.train.webhooks.sealed import Seal, home_key

        return Seal(lambda: home_key(self._kernel.home.absolute()))
