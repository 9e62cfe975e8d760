"""What can go wrong when code is looked at or carried.

InvalidInput
├── NotCode                 what was given is no function, class or module
└── UnsafeBundle            the archive names a place outside the folder it is unpacked into
Corrupt
└── DamagedBundle           the archive is not what its manifest says
"""

from __future__ import annotations

from treadle.ground.errors import Corrupt, InvalidInput


class NotCode(InvalidInput):
    code = "code.not_code"


class UnsafeBundle(InvalidInput):
    code = "code.unsafe_bundle"


class DamagedBundle(Corrupt):
    code = "code.damaged_bundle"
