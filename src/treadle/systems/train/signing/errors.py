"""What signing refuses.

TreadleError
├── InvalidInput
│   ├── KeyUnusable             no key, or none of the curves that are signed with
│   └── BundleUnreadable        no bundle of a model signature
├── Denied
│   └── KeyOpen                 others can read the private key
└── Conflict
    ├── SignatureWrong          the signature is not of this key over these bytes
    └── FilesDiffer             the files are not those that were signed
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Denied, InvalidInput


class KeyUnusable(InvalidInput):
    code = "signing.key_unusable"


class BundleUnreadable(InvalidInput):
    code = "signing.bundle_unreadable"


class KeyOpen(Denied):
    code = "signing.key_open"


class SignatureWrong(Conflict):
    code = "signing.signature_wrong"


class FilesDiffer(Conflict):
    code = "signing.files_differ"
