"""What the data plane refuses, and what it cannot load.

InvalidInput
├── UnknownInput        an input that the model does not have
├── MissingInput        an input that the model needs
├── WrongInput          right name; wrong datatype, shape or value
├── NotAllowed          a request that this endpoint's limits do not allow
├── WrongMethod         GET where POST belongs, or the other way round (405)
└── Misdirected         the Host header names another machine (421)
Denied
├── OtherOrigin         a browser's page of elsewhere (403)
└── NoToken             the token is missing or another (401)
NotFound
└── NoSuchModel         no endpoint or version of that name is served here
Unavailable
├── LogFull             the prediction log has used its disk budget (503)
├── LogFailed           the prediction log cannot be written (503)
└── Overloaded          too many requests are waiting (503)
Corrupt
├── BadDocument         a route document that cannot be served
├── BadModel            a model whose files, signature or probe are not what its manifest says
└── DamagedLog          a prediction log that is not what was written
"""

from __future__ import annotations

from treadle.ground.errors import Corrupt, Denied, InvalidInput, NotFound, Unavailable


class UnknownInput(InvalidInput):
    code = "infer.unknown_input"


class MissingInput(InvalidInput):
    code = "infer.missing_input"


class WrongInput(InvalidInput):
    code = "infer.wrong_input"


class NotAllowed(InvalidInput):
    code = "infer.not_allowed"


class WrongMethod(InvalidInput):
    code, status = "infer.wrong_method", 405


class Misdirected(InvalidInput):
    code, status = "infer.misdirected", 421


class OtherOrigin(Denied):
    code = "infer.other_origin"


class NoToken(Denied):
    code, status = "infer.no_token", 401


class NoSuchModel(NotFound):
    code = "infer.no_such_model"


class LogFull(Unavailable):
    code = "prediction_log.full"


class LogFailed(Unavailable):
    code = "prediction_log.failed"


class Overloaded(Unavailable):
    code = "infer.overloaded"


class BadDocument(Corrupt):
    code = "route.bad_document"


class BadModel(Corrupt):
    code = "serve.bad_model"


class DamagedLog(Corrupt):
    code = "prediction_log.damaged"
