"""What the files of tracking refuse.

TreadleError
├── NotFound
│   ├── FileNotFound            nothing lies at that path
│   ├── UploadNotFound          no upload in parts has this id, or its time is over
│   └── OwnerNotFound           no run or logged model has this id
├── InvalidInput
│   ├── BadFileName             the path cannot be a file's
│   ├── FileInTheWay            a file lies where a folder would have to be, or the other way round
│   ├── PartMissing             an upload was to be completed without all of its parts
│   ├── TooManyParts            an upload has 1 to 10,000 parts
│   └── ElsewhereStored         the artifacts lie in a store that this server does not keep
├── Denied
│   └── SignatureRefused        the signed address was changed, or its time is over
└── Conflict
    └── FileSealed              what lies there belongs to something finished, and does not change
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Denied, InvalidInput, NotFound


class FileNotFound(NotFound):
    code = "file.not_found"


class UploadNotFound(NotFound):
    code = "file.upload_not_found"


class OwnerNotFound(NotFound):
    code = "file.owner_not_found"


class BadFileName(InvalidInput):
    code = "file.bad_name"


class FileInTheWay(InvalidInput):
    code = "file.in_the_way"


class PartMissing(InvalidInput):
    code = "file.part_missing"


class TooManyParts(InvalidInput):
    code = "file.too_many_parts"


class ElsewhereStored(InvalidInput):
    code = "file.elsewhere_stored"


class SignatureRefused(Denied):
    code = "file.signature_refused"


class FileSealed(Conflict):
    code = "file.sealed"
