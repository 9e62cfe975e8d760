"""What the HTTP face refuses, before any verb is reached.

Denied
├── Unauthenticated             no token, or one that nobody has (401)
├── HostRefused                 the Host is not an address of this server (403)
├── OriginRefused               another site's page asks (403)
└── ListeningRefused            the server would be reached from outside without users' authentication (403)
InvalidInput
├── BodyTooLarge                the body is over the limit (413)
└── BodyNotJson                 the body is not declared as JSON (415)
NotFound
└── PathNotFound                no route has this path (404)
TreadleError
└── MethodNotAllowed            the path is there, the method is not (405)
"""

from __future__ import annotations

from treadle.ground.errors import Denied, InvalidInput, NotFound, TreadleError


class Unauthenticated(Denied):
    code, status = "api.unauthenticated", 401


class HostRefused(Denied):
    code = "api.host_refused"


class OriginRefused(Denied):
    code = "api.origin_refused"


class ListeningRefused(Denied):
    code = "api.listening_refused"


class ProjectInvalid(InvalidInput):
    code = "api.project_invalid"


class BodyTooLarge(InvalidInput):
    code, status = "api.body_too_large", 413


class BodyNotJson(InvalidInput):
    code, status = "api.body_not_json", 415


class PathNotFound(NotFound):
    code = "api.path_not_found"


class MethodNotAllowed(TreadleError):
    code, status = "api.method_not_allowed", 405
