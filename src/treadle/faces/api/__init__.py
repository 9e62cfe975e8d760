"""The HTTP face: an application whose routes follow from the verbs, and the server that runs it."""

from treadle.faces.api.application import build
from treadle.faces.api.authentication import Authenticator, HomeToken
from treadle.faces.api.server import Server

__all__ = ["Authenticator", "HomeToken", "Server", "build"]
