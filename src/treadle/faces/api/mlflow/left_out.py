"""What is left out of the protocol, each family with a sentence on what to use; every route of it answers 501 with that.

The families hold whatever a stock server answers and this one does not; a test compares the two route by route, and the
page docs/reference/mlflow.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Handler, Route
from treadle.wire.mlflow.errors import ProtocolError

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Family:
    """Routes that are left out together: what they are for, what to use, and their paths."""

    about: str
    instead: str
    paths: tuple[str, ...]


def _below(*paths: str) -> tuple[str, ...]:
    """Each path and everything below it."""
    return tuple(spelled for path in paths for spelled in (path, f"{path}/{{rest:path}}"))


LEFT_OUT = (
    Family(
        "the web pages and what only they call",
        "There are no pages of MLflow's here: use the client, the command line, or /api/v1/openapi.json.",
        (
            "/graphql",
            *_below("/static-files", "/build"),
            "2.0/mlflow/get-online-trace-details",
            "2.0/mlflow/runs/create-promptlab-run",
            "2.0/mlflow/unified-traces",
            *_below("3.0/mlflow/assistant", "3.0/mlflow/demo", "3.0/mlflow/ui-telemetry"),
        ),
    ),
    Family(
        "the gateway to providers of language models",
        "Nothing is passed on to providers from here: call them from your own code, and trace the calls.",
        ("2.0/mlflow/gateway-proxy", *_below("/gateway", "3.0/mlflow/gateway")),
    ),
    Family(
        "jobs that the server runs: judges, searches for issues, optimisation of prompts",
        "The server runs no judge and no prompt: do it in a pipeline step, or with mlflow.genai.evaluate in the client.",
        (
            *_below("3.0/jobs", "3.0/mlflow/jobs", "3.0/mlflow/prompt-optimization", "3.0/mlflow/genai"),
            "3.0/jobs/",
            "3.0/mlflow/scorer/invoke",
            "3.0/mlflow/scorers/online-config",
            *_below("3.0/mlflow/issues"),
        ),
    ),
    Family(
        "schemas of labels and queues of reviews",
        "Labelling has a system of its own here: treadle labels.",
        _below("3.0/mlflow/label-schemas", "3.0/mlflow/review-queues"),
    ),
    Family(
        "the registry of MCP servers",
        "No MCP servers are kept here: keep their addresses in your settings.",
        _below("3.0/mlflow/mcp-servers"),
    ),
    Family(
        "workspaces",
        "A workspace is a project, which begins with the first thing in it: send X-MLFLOW-WORKSPACE, or mlflow.set_workspace.",
        _below("3.0/mlflow/workspaces"),
    ),
    Family(
        "users, roles and grants",
        "Accounts are kept by treadle users and treadle tokens, and by the verbs /api/v1/users and /api/v1/tokens.",
        _below("2.0/mlflow/users", "3.0/mlflow/users", "3.0/mlflow/roles"),
    ),
)


def _refusal(family: Family) -> Handler:
    def refuse(exchange: Exchange) -> Answer:
        raise ProtocolError("NOT_IMPLEMENTED", f"Left out here: {family.about}. {family.instead}")

    return refuse


ROUTES = [
    Route(method, path, refusal)
    for family in LEFT_OUT
    for refusal in [_refusal(family)]
    for path in family.paths
    for method in METHODS
]
