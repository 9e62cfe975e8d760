"""From settings to a client: the services of this process, or the API that `server` names."""

from __future__ import annotations

from treadle.assembly import Workspace, modules
from treadle.faces.sdk.client import Client
from treadle.faces.sdk.embedded import InProcess
from treadle.faces.sdk.verbs import Verbs
from treadle.faces.tokens import find_home_token
from treadle.ground.settings import Settings

VERBS = Verbs(modules())


def client_of(workspace: Workspace) -> Client:
    """The client of a workspace of this process; closing it leaves the workspace open."""
    return Client(InProcess(workspace.service, workspace.caller), VERBS)


def connect(settings: Settings) -> Client:
    """The client of the API that the settings name. Raises ServerUnreachable at the first call that finds nobody."""
    from treadle.faces.sdk.remote import OverHttp  # httpx takes 0.1 s to import

    token = settings.token or find_home_token(settings.home)
    return Client(OverHttp(settings.server, token, project=settings.project), VERBS)
