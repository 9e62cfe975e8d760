"""What the control plane of serving refuses.

InvalidInput
├── BadDeployment       a revision or a split that cannot be served
├── NoSuchEngine        a form that a model has not, or that does not answer as the model does
├── UnfitTraffic        a window of traffic that is none
└── TryRefused          the model server does not answer what it was asked on trial
NotFound
├── EndpointNotFound
├── RevisionNotFound
└── PredictionNotFound
Conflict
├── NothingToRollBack   the endpoint has no earlier deployment
└── DeploymentRaced     another deployment of the endpoint came first
Unavailable
├── NoServer            no model server of this project answers here
└── ServerDidNotStart
"""

from __future__ import annotations

from treadle.ground.errors import Conflict, InvalidInput, NotFound, Unavailable


class BadDeployment(InvalidInput):
    code = "endpoint.bad_deployment"


class NoSuchEngine(InvalidInput):
    code = "serve.no_such_engine"


class UnfitTraffic(InvalidInput):
    code = "prediction.unfit_traffic"


class TryRefused(InvalidInput):
    code = "endpoint.try_refused"


class NoServer(Unavailable):
    code = "endpoint.no_server"


class EndpointNotFound(NotFound):
    code = "endpoint.not_found"


class RevisionNotFound(NotFound):
    code = "endpoint.revision_not_found"


class PredictionNotFound(NotFound):
    code = "prediction.not_found"


class NothingToRollBack(Conflict):
    code = "endpoint.nothing_to_roll_back"


class DeploymentRaced(Conflict):
    code, retryable = "endpoint.deployment_raced", True


class ServerDidNotStart(Unavailable):
    code = "endpoint.server_did_not_start"
