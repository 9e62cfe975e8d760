"""Signing in and out: `/api/v1/session`, and `/open?code=…`, which `treadle open` and `treadle up` print."""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from treadle.faces.api.answers import json_response, problem_response
from treadle.faces.api.authentication import Authenticator
from treadle.faces.api.errors import Unauthenticated
from treadle.faces.api.routes import caller_of
from treadle.faces.api.web.sessions import SESSION_DAYS, Sessions, Signed, cookie_name, cookie_of
from treadle.ground.errors import InvalidInput
from treadle.kernel.governance import Caller
from treadle.kernel.governance.identity.records import CreateToken, TokenNamed
from treadle.kernel.governance.identity.secrets import TOKEN_PREFIX
from treadle.kernel.governance.identity.service import Accounts

MAX_BODY_BYTES = 4096


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """A name with its password, or a token: the home's or a user's."""

    name: str = ""
    password: str = ""
    token: str = ""


class SignInFailed(Unauthenticated):
    """The name, the password or the token is not right."""

    code = "api.sign_in_failed"


def session_routes(sessions: Sessions, authenticator: Authenticator, accounts: Accounts, version: str) -> list[Route]:
    """`GET`, `POST` and `DELETE /api/v1/session`, and `GET /open`."""

    async def show(request: Request) -> Response:
        try:
            caller = await caller_of(request, authenticator)
        except Exception as error:  # the outermost loop of this face
            return problem_response(error)
        is_owner = sessions.is_owner(request.headers.get("authorization", "").partition(" ")[2])
        return json_response(
            {
                "actor": caller.actor,
                "project": caller.project,
                "permissions": sorted(caller.permissions),
                "is_owner": is_owner,
                "knows_users": authenticator.knows_users,
                "version": version,
            }
        )

    async def sign_in(request: Request) -> Response:
        try:
            signed = await run_in_threadpool(_signed, await _body(request))
        except Exception as error:  # the outermost loop of this face
            return problem_response(error)
        return _with_cookie(request, sessions, Response(status_code=204), signed)

    async def sign_out(request: Request) -> Response:
        signed = sessions.opened(cookie_of(request.scope))
        if signed is not None and signed.token_id is not None:
            await run_in_threadpool(_revoke, signed)
        answer = Response(status_code=204)
        answer.delete_cookie(cookie_name(request.scope), path="/", httponly=True, samesite="strict")
        return answer

    async def open_link(request: Request) -> Response:
        signed = sessions.by_link(request.query_params.get("code", ""))
        answer = RedirectResponse("/" if signed is not None else "/?link=over", 303, {"Referrer-Policy": "no-referrer"})
        return answer if signed is None else _with_cookie(request, sessions, answer, signed)

    def _signed(given: SignIn) -> Signed:
        if given.token and sessions.is_owner(given.token):
            return sessions.owner()
        if given.token.startswith(TOKEN_PREFIX) and accounts.by_token(given.token) is not None:
            return Signed(given.token)
        if given.name and given.password:
            identity = accounts.by_password(given.name, given.password)
            if identity is not None:
                made = accounts.create_token(
                    _about(identity.actor), CreateToken(user=identity.actor, label="web session", days=SESSION_DAYS)
                )
                return Signed(made.text, made.token.id)
        raise SignInFailed(
            "The name and the password do not fit together." if given.name else "This is not a token of this home.",
            why="Only whoever belongs to this home is let in.",
            fix="Try again, or ask whoever administers it. On its own machine: treadle open",
        )

    def _revoke(signed: Signed) -> None:
        identity = accounts.by_token(signed.token)
        if identity is not None and signed.token_id is not None:
            accounts.revoke_token(_about(identity.actor), TokenNamed(token=signed.token_id))

    return [
        Route("/api/v1/session", show, methods=["GET"]),
        Route("/api/v1/session", sign_in, methods=["POST"]),
        Route("/api/v1/session", sign_out, methods=["DELETE"]),
        Route("/open", open_link, methods=["GET"]),
    ]


def _about(actor: str) -> Caller:
    """A user who makes or ends the token of their own session, whatever else they may."""
    return Caller(project="default", actor=actor, permissions=frozenset({"user.write"}))


async def _body(request: Request) -> SignIn:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY_BYTES:
            raise InvalidInput("The body is too long for a sign-in.")
    try:
        return msgspec.json.decode(data, type=SignIn)
    except msgspec.MsgspecError as error:
        raise InvalidInput(
            "The body is not a sign-in.", why=f"{error}.", fix="Send name and password, or token."
        ) from None


def _with_cookie(request: Request, sessions: Sessions, answer: Response, signed: Signed) -> Response:
    answer.set_cookie(
        cookie_name(request.scope),
        sessions.cookie(signed),
        max_age=SESSION_DAYS * 86400,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer
