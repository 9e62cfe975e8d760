"""The names of what can go wrong between us and where rows come from.

InvalidInput
├── SourceDeclarationInvalid    a source is declared with what it cannot have
├── SourceRefused               the other side does not do what it was asked: no such table, no right, no such page
├── CursorUnusable              the column that should say how far a source has come cannot say it
└── SecretInPlainText           a password stands where everybody reads it
NotFound
└── SourceNotDeclared           there is no source of that name
Conflict
└── PositionLost                what came after the cursor is no longer there to be read
Unavailable
└── SourceUnreachable           the other side does not answer
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound, Unavailable


class SourceDeclarationInvalid(InvalidInput):
    code = "source.declaration_invalid"


class SourceRefused(InvalidInput):
    code = "source.refused"


class CursorUnusable(InvalidInput):
    code = "source.cursor_unusable"


class SecretInPlainText(InvalidInput):
    code = "source.secret_in_plain_text"


class SourceNotDeclared(NotFound):
    code = "source.not_declared"


class PositionLost(Conflict):
    code = "source.position_lost"


class SourceUnreachable(Unavailable):
    code = "source.unreachable"
