"""What the data plane refuses, and what it cannot load.

InvalidInput
├── UnknownInput        an input that the model does not have
├── MissingInput        an input that the model needs
├── WrongInput          right name; wrong datatype, shape or value
├── NotAllowed          a request that this endpoint's limits do not allow
├── TooManyRequests     one token asks more often than its endpoint allows (429)
├── WrongMethod         GET where POST belongs, or the other way round (405)
└── Misdirected         the Host header names another machine (421)
Denied
├── OtherOrigin         a browser's page of elsewhere (403)
├── FixedRepository     this server's clients may not load or unload (403)
└── NoToken             the token is missing or another (401)
Conflict
└── NotLoaded           an endpoint whose document is refused cannot be loaded (409)
TreadleError
└── NotServed           an extension of the protocol that this server does not have (501)
NotFound
├── NoSuchModel         no endpoint or version of that name is served here
└── NoSuchService       no gRPC service of that name has a health here
Unavailable
├── LogFull             the prediction log has used its disk budget (503)
├── LogFailed           the prediction log cannot be written (503)
├── Overloaded          too many requests are waiting (503)
├── Drained             the endpoint takes no new requests (503)
└── TimedOut            the model did not answer in the time that the endpoint allows (504)
Corrupt
├── BadDocument         a route document that cannot be served
├── BadModel            a model whose files, signature or probe are not what its manifest says
└── DamagedLog          a prediction log that is not what was written
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, Corrupt, Denied, InvalidInput, NotFound, TreadleError, Unavailable


class UnknownInput(InvalidInput):
    code = "infer.unknown_input"


class MissingInput(InvalidInput):
    code = "infer.missing_input"


class WrongInput(InvalidInput):
    code = "infer.wrong_input"


class NotAllowed(InvalidInput):
    code = "infer.not_allowed"


class TooManyRequests(InvalidInput):
    code, status, retryable = "infer.too_many_requests", 429, True


class WrongMethod(InvalidInput):
    code, status = "infer.wrong_method", 405


class Misdirected(InvalidInput):
    code, status = "infer.misdirected", 421


class OtherOrigin(Denied):
    code = "infer.other_origin"


class FixedRepository(Denied):
    code = "infer.fixed_repository"


class NoToken(Denied):
    code, status = "infer.no_token", 401


class NotLoaded(Conflict):
    code = "infer.not_loaded"


class NotServed(TreadleError):
    code, status = "infer.not_served", 501


class NoSuchModel(NotFound):
    code = "infer.no_such_model"


class NoSuchService(NotFound):
    code = "infer.no_such_service"


class LogFull(Unavailable):
    code = "prediction_log.full"


class LogFailed(Unavailable):
    code = "prediction_log.failed"


class Overloaded(Unavailable):
    code = "infer.overloaded"


class Drained(Unavailable):
    code = "infer.drained"

    @classmethod
    def of(cls, endpoint: str) -> Drained:
        """What a caller of a drained endpoint hears."""
        return cls(
            f"Endpoint {endpoint!r} is drained: it answers what it had begun and takes nothing new.",
            fix=f"Deploy to it, split it or roll it back: treadle endpoints rollback {endpoint}",
        )


class FeaturesUnavailable(Unavailable):
    code = "infer.features_unavailable"


class TimedOut(Unavailable):
    code, status = "infer.timed_out", 504


class BadDocument(Corrupt):
    code = "route.bad_document"


class BadModel(Corrupt):
    code = "serve.bad_model"


class DamagedLog(Corrupt):
    code = "prediction_log.damaged"
