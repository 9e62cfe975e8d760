"""What can go wrong with accounts and tokens.

NotFound
├── UserNotFound            nobody has this name (404)
└── TokenNotFound           there is no such token (404)
Conflict
└── UserExists              the name is taken (409)
InvalidInput
├── UserNameInvalid         the name cannot be a user's (400)
├── RoleUnknown             there is no such role (400)
├── PasswordTooWeak         the password is too short (400)
└── LifetimeInvalid         a token lives a day at least, or without end (400)
Denied
└── NoAccess                the account has no access to this project (403)
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Denied, InvalidInput, NotFound


class UserNotFound(NotFound):
    code = "users.not_found"


class TokenNotFound(NotFound):
    code = "tokens.not_found"


class UserExists(Conflict):
    code = "users.exists"


class UserNameInvalid(InvalidInput):
    code = "users.name_invalid"


class RoleUnknown(InvalidInput):
    code = "users.role_unknown"


class PasswordTooWeak(InvalidInput):
    code = "users.password_too_weak"


class LifetimeInvalid(InvalidInput):
    code = "tokens.lifetime_invalid"


class NoAccess(Denied):
    code = "users.no_access"
