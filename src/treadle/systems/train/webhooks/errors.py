"""What webhooks refuse.

TreadleError
├── NotFound
│   └── WebhookNotFound
├── InvalidInput
│   ├── WebhookInvalid          a name or an event that there cannot be
│   └── AddressRefused          an address that this server does not call
└── Denied
    └── SealBroken              a secret was sealed with another key, or its key can be read by others
"""

from __future__ import annotations

from treadle.ground.errors import Denied, InvalidInput, NotFound


class WebhookNotFound(NotFound):
    code = "webhook.not_found"


class WebhookInvalid(InvalidInput):
    code = "webhook.invalid"


class AddressRefused(InvalidInput):
    code = "webhook.address_refused"


class SealBroken(Denied):
    code = "webhook.seal_broken"
